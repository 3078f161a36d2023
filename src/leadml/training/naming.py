"""What the names of columns speak of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = [
    "CONSENT",
    "CREATED",
    "GROUP",
    "HAPPENED",
    "ID_WORDS",
    "LEAD_WORDS",
    "NEGATIVE",
    "NUMBERED",
    "PERSONAL",
    "POSITIVE",
    "SURE_TARGETS",
    "TARGETS",
    "is_engagement",
    "speaks_of_after",
    "words_of",
]

TARGETS: Final = (
    ("converted",),
    ("is", "converted"),
    ("conversion",),
    ("won",),
    ("is", "won"),
    ("closed", "won"),
    ("target",),
    ("label",),
    ("y",),
    ("purchased",),
    ("bought",),
    ("subscribed",),
    ("deposit",),
    ("outcome",),
    ("success",),
    ("customer",),
    ("is", "customer"),
    ("response",),
    ("lead", "status"),
    ("status",),
    ("stage",),
    ("result",),
    ("class",),
)
SURE_TARGETS: Final = 10
"""Names up to here mean the outcome without asking."""
POSITIVE: Final = (
    "1",
    "yes",
    "true",
    "y",
    "t",
    "won",
    "closed won",
    "closed-won",
    "converted",
    "customer",
    "ja",
    "oui",
    "si",
    "sí",
    "sim",
    "tak",
    "win",
    "success",
    "subscribed",
    "purchased",
    "gewonnen",
    "gagné",
    "ganado",
    "ganho",
    "vinto",
)
"""Outcomes that plainly say yes, in lower case; the surest first."""
NEGATIVE: Final = (
    "0",
    "no",
    "false",
    "n",
    "f",
    "lost",
    "closed lost",
    "closed-lost",
    "not converted",
    "nein",
    "non",
    "verloren",
    "perdu",
    "perdido",
    "perso",
)
"""Outcomes that plainly say no, in lower case."""
CREATED: Final = (
    "created",
    "creation",
    "createdate",
    "createdat",
    "createddate",
    "first",
    "entered",
    "registered",
    "registration",
    "signup",
    "signed",
    "inquiry",
    "received",
    "added",
    "reg",
    "date",
    "timestamp",
    "time",
)
HAPPENED: Final = (
    "converted",
    "conversion",
    "won",
    "closed",
    "close",
    "purchase",
    "purchased",
    "deal",
    "bought",
    "order",
    "signed",
)
_ENGAGED: Final = frozenset(
    [
        "view",
        "views",
        "pageviews",
        "visit",
        "visits",
        "totalvisits",
        "click",
        "clicks",
        "clicked",
        "opened",
        "opens",
        "download",
        "downloads",
        "downloaded",
        "webinar",
        "webinars",
        "session",
        "sessions",
        "login",
        "logins",
        "activity",
        "engagement",
        "replied",
        "replies",
        "touches",
        "touchpoints",
        "bounce",
        "impressions",
        "website",
        "form",
        "forms",
        "submitted",
        "meetings",
        "demo",
        "demos",
        "duration",
        "pdays",
        "previous",
        "poutcome",
        "devices",
    ]
)
CONSENT: Final = re.compile(
    r"consent|opt ?in|opt ?out|\bgdpr\b|do not (e ?)?(mail|call|contact)|permission|unsubscribed"
)
GROUP: Final = frozenset(
    ["gender", "sex", "race", "ethnicity", "religion", "disability", "nationality", "pregnant"]
)
PERSONAL: Final = re.compile(
    r"^(e ?mail|mail|e ?mail address|phone|telephone|mobile|fax|mobile phone|phone number|"
    r"(first|last|full|sur|given|family|contact|customer|lead|company|account) ?name|name|"
    r"street|address|ip|ip address|birthday|date of birth|ssn|iban|url|linkedin.*)$"
)
ID_WORDS: Final = frozenset(
    ["id", "ids", "uuid", "guid", "key", "number", "no", "nr", "code", "identifier"]
)
NUMBERED: Final = frozenset(("id", "code", "zip", "zipcode", "postcode", "plz"))
LEAD_WORDS: Final = frozenset(
    ["lead", "leads", "mql", "prospect", "contact", "opportunity", "customer"]
)
_AFTER: Final = frozenset(
    [
        "modified",
        "updated",
        "status",
        "stage",
        "quality",
        "tag",
        "tags",
        "note",
        "notes",
        "comment",
        "comments",
        "remark",
        "remarks",
        "closed",
        "close",
        "duration",
        "reason",
        "result",
        "outcome",
        "won",
        "lost",
        "deal",
        "invoice",
        "revenue",
        "contract",
        "disposition",
        "resolution",
        "churned",
    ]
)
_LAST_OF: Final = frozenset(
    [
        "activity",
        "modified",
        "updated",
        "contact",
        "contacted",
        "call",
        "called",
        "touch",
        "email",
        "notable",
        "status",
        "stage",
        "action",
        "seen",
        "interaction",
    ]
)
_NOT_AFTER: Final = frozenset(
    ["since", "days", "marital", "employment", "housing", "credit", "previous", "poutcome"]
)
_JUDGED: Final = frozenset(["score", "profile", "index", "rating", "grade"])
_JUDGING: Final = frozenset(
    ["lead", "activity", "profile", "fit", "engagement", "asymmetrique", "sales"]
)


def words_of(name: str) -> list[str]:
    """The words of a name in lower case.

    >>> words_of("LastModifiedDate"), words_of("e-mail_opens 30d")
    (['last', 'modified', 'date'], ['e', 'mail', 'opens', '30d'])
    """
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return re.findall(r"[^\W_]+", spaced.lower())


def speaks_of_after(words: Iterable[str]) -> bool:
    """Whether a name tells of what is known only once a lead was worked.

    >>> speaks_of_after(words_of("Last Activity")), speaks_of_after(words_of("days_since_last"))
    (True, False)
    """
    words = list(words)
    said = set(words)
    if said & _NOT_AFTER:
        return False
    if "last" in said and said & _LAST_OF:
        return True
    if said & _JUDGED and said & _JUDGING:
        return True
    return bool(said & _AFTER)


def is_engagement(name: str, words: Iterable[str]) -> bool:
    """Whether a name tells of something that a lead did; ``words`` are its words.

    >>> is_engagement("pages_30d", ["pages", "30d"]), is_engagement("industry", ["industry"])
    (True, False)
    """
    said = set(words)
    window = re.search(r"_\d+(d|days)$", name.lower()) is not None
    spent = "time" in said and "spent" in said
    since = "days" in said and "since" in said
    return bool(window or spent or since or said & _ENGAGED)
