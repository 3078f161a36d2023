"""What is written to the memory and what comes back, as plain records."""

from __future__ import annotations

import os
import threading
from base64 import b32encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from leadml.errors import InvalidField, LeadmlError
from leadml.leads.vocabulary import Outcome, Stage

__all__ = [
    "BANT",
    "LEAD_ID_LENGTH",
    "Decision",
    "Outcome",
    "Recorded",
    "Report",
    "Reporting",
    "Stage",
    "checked_id",
    "iso_of",
    "moment_of_us",
    "new_id",
    "now",
    "us_of",
]

LEAD_ID_LENGTH: Final = 255

BANT: Final = ("budget", "authority", "need", "timing")
"""What sales learn of a lead; kept in the details of a report."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)
_DIGITS: Final = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)


def now() -> datetime:
    """The present moment, aware UTC."""
    return datetime.now(UTC)


def us_of(moment: datetime) -> int:
    """Whole microseconds since 1970 UTC of an aware moment.

    >>> us_of(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    if moment.tzinfo is None:
        raise ValueError("a moment needs a zone")
    return (moment - _EPOCH) // _US


def moment_of_us(us: int) -> datetime:
    """The inverse of :func:`us_of`."""
    return _EPOCH + us * _US


def iso_of(us: int | None) -> str | None:
    """A moment as people and programs read it; None stays None.

    >>> iso_of(86400000000)
    '1970-01-02T00:00:00Z'
    """
    if us is None:
        return None
    return moment_of_us(us).isoformat().replace("+00:00", "Z")


class _Chance(threading.local):
    """Random bytes of the system, fetched many at a time.

    Each fetch gives the interpreter away and waits to get it back, which takes longer in a
    busy server than all else about an id. A forked process fetches its own.
    """

    left = b""
    process = 0

    def ten(self) -> bytes:
        if len(self.left) < 10 or self.process != os.getpid():
            self.left, self.process = os.urandom(2_560), os.getpid()
        found, self.left = self.left[:10], self.left[10:]
        return found


_CHANCE: Final = _Chance()


def new_id(kind: str, at: datetime | None = None) -> str:
    """An id that nobody can guess and that sorts by time (the layout of a ULID).

    >>> made = new_id("dec", datetime(2026, 11, 22, tzinfo=UTC))
    >>> made[:11], len(made)
    ('dec_01M808T', 30)
    """
    ms = us_of(at or now()) // 1000
    number = ms.to_bytes(10, "big") + _CHANCE.ten()
    return f"{kind}_" + b32encode(number)[-26:].translate(_DIGITS).decode()


def checked_id(lead_id: str) -> str:
    """The id of a lead, refused where a database could not hold it.

    Raises
    ------
    InvalidField
        It is empty, longer than :data:`LEAD_ID_LENGTH` characters, or no clean text.
    """
    clean = 0 < len(lead_id) <= LEAD_ID_LENGTH
    if clean and not lead_id.isascii():
        clean = not any("\ud800" <= char <= "\udfff" for char in lead_id)
    if not clean or "\x00" in lead_id:
        raise InvalidField(
            f"lead_id must be a text of 1 to {LEAD_ID_LENGTH} characters",
            column="lead_id",
            pointer="/lead_id",
        )
    return lead_id


@dataclass(frozen=True, slots=True)
class Decision:
    """One score, with all that is needed to replay and to explain it.

    Parameters
    ----------
    lead_id
        None for a lead that has no id: the decision is kept, no lead is.
    inputs
        Fields of the lead as they were sent.
    probability
        As shown, in [0, 1].
    log_odds
        Of the probability before rounding.
    contributions
        Log-odds per column of the model, in its order.
    score, fit_score, engagement_score
        0–100.
    grade, proposed_stage
        What the lines say.
    nurture_line, mql_line, sql_line
        Lines of the policy at that moment.
    model_version, policy_version, bundle_digest
        Under which model it was made.
    contact_consent
        What the request said; None leaves what is known.
    reasons
        ``{"field", "text"}`` for the message sent when the stage changes.
    value
        What winning the lead is worth, in any unit.
    at
        When, aware UTC.
    imported
        Whether it belongs to a past that was brought in later: nobody saw it then, so no
        message tells of it and no model is judged by it.
    decision_id
        Unique.
    """

    lead_id: str | None
    inputs: Mapping[str, Any]
    probability: float
    log_odds: float
    contributions: Sequence[float]
    score: int
    grade: str
    proposed_stage: str
    nurture_line: float
    mql_line: float
    sql_line: float
    model_version: str
    policy_version: str
    bundle_digest: str
    fit_score: int | None = None
    engagement_score: int | None = None
    contact_consent: bool | None = None
    reasons: Sequence[Mapping[str, Any]] = ()
    value: float = 1.0
    at: datetime = field(default_factory=now)
    imported: bool = False
    decision_id: str = field(default_factory=lambda: new_id("dec"))

    def __post_init__(self) -> None:
        if self.lead_id is not None:
            checked_id(self.lead_id)


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where a lead stands once its decision is durable.

    Parameters
    ----------
    decision_id
        Of the decision.
    stage, previous_stage
        After and before it.
    kept
        False for a lead that was erased: nothing was written.
    may_contact
        False where consent was withheld or the lead objected.
    """

    decision_id: str
    stage: Stage
    previous_stage: Stage
    kept: bool = True
    may_contact: bool = True


@dataclass(frozen=True, slots=True)
class Report:
    """What people say became of a lead.

    Parameters
    ----------
    lead_id
        Of the lead; it need not have been scored yet.
    outcome
        What happened.
    occurred_at
        When it happened, aware UTC; not in the future.
    reason
        Why; needed for ``rejected``.
    by
        Who says so.
    details
        More, as budget, authority, need and timing.
    imported
        Whether it belongs to a past that was brought in later: no message tells of it.
    """

    lead_id: str
    outcome: Outcome
    occurred_at: datetime = field(default_factory=now)
    reason: str | None = None
    by: str | None = None
    details: Mapping[str, Any] | None = None
    imported: bool = False

    def __post_init__(self) -> None:
        checked_id(self.lead_id)
        for name, text in (("reason", self.reason), ("by", self.by)):
            if text is not None and ("\x00" in text or len(text) > 2000):
                raise InvalidField(f"{name} must be a text of up to 2000 characters", column=name)


@dataclass(frozen=True, slots=True)
class Reporting:
    """What came of a report.

    Parameters
    ----------
    lead_id
        Of the lead.
    stage
        Where the lead stands now; None for a lead that was erased.
    duplicate
        True if the same report was there already.
    error
        Why it was refused; None if it counts.
    scored
        Whether the lead was ever scored under this id.
    """

    lead_id: str
    stage: Stage | None
    duplicate: bool = False
    error: LeadmlError | None = None
    scored: bool = True
