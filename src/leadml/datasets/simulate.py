"""A CRM's history with a known truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from leadml.datasets.write import write_table
from leadml.errors import ConfigError
from leadml.leads import Availability

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["END", "HORIZON_DAYS", "SimulatedHistory", "simulate", "write_history"]

HORIZON_DAYS: Final = 90
END: Final = datetime(2026, 10, 31, tzinfo=UTC)

_DAY: Final = 86_400
_LOOK_BACK_DAYS: Final = 90
_BASE_RATE: Final = 0.10

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

# Word, share of leads, effect on the log-odds of a conversion within the horizon.
_INDUSTRIES: Final = (
    ("Software", 0.22, 0.5),
    ("Manufacturing", 0.16, 0.1),
    ("Healthcare", 0.12, 0.35),
    ("Retail", 0.12, -0.2),
    ("Finance", 0.10, 0.3),
    ("Education", 0.09, -0.4),
    ("Logistics", 0.07, 0.0),
    ("Construction", 0.06, -0.2),
    ("Hospitality", 0.04, -0.6),
    ("Public sector", 0.02, -0.3),
)
_COUNTRIES: Final = (
    ("DE", 0.30, 0.2),
    ("US", 0.18, 0.1),
    ("GB", 0.12, 0.05),
    ("FR", 0.10, -0.05),
    ("NL", 0.07, 0.15),
    ("AT", 0.05, 0.2),
    ("CH", 0.05, 0.25),
    ("PL", 0.04, -0.2),
    ("ES", 0.04, -0.15),
    ("IN", 0.03, -0.7),
    ("BR", 0.02, -0.5),
)
_JOB_LEVELS: Final = (
    ("Specialist", 0.34, -0.25),
    ("Manager", 0.28, 0.15),
    ("Director", 0.14, 0.45),
    ("Vice president", 0.06, 0.6),
    ("C-level", 0.08, 0.5),
    ("Student", 0.10, -1.5),
)
_SOURCES: Final = (
    ("Organic search", 0.24, 0.1),
    ("Paid search", 0.18, -0.2),
    ("Content", 0.14, -0.1),
    ("Social", 0.12, -0.6),
    ("Webinar", 0.09, 0.3),
    ("Event", 0.07, 0.2),
    ("Bought list", 0.07, -1.1),
    ("Referral", 0.06, 0.9),
    ("Partner", 0.03, 0.5),
)
_EMAIL_TYPES: Final = (("company", 0.76, 0.0), ("freemail", 0.21, -0.6), ("disposable", 0.03, -1.8))
_DEVICES: Final = (("desktop", 0.62, 0.0), ("mobile", 0.33, 0.0), ("tablet", 0.05, 0.0))
_DECIDERS: Final = (2, 3, 4)  # Director, Vice president, C-level
_STUDENT: Final = 5
_EVENT_SOURCE, _PARTNER_SOURCE = 5, 8
_OWNERS: Final = ("A. Novak", "B. Okafor", "C. Lindt", "D. Rossi", "E. Haas", "F. Moreau")

# Event, log of its mean count in 90 days, slope on intent, days a column looks back, column.
_EVENTS: Final = (
    ("page_view", 1.5, 0.55, 30, "page_views_30d"),
    ("pricing_page_view", 0.0, 0.95, 30, "pricing_page_views_30d"),
    ("email_opened", 0.7, 0.45, 30, "emails_opened_30d"),
    ("email_clicked", -0.6, 0.6, 30, "emails_clicked_30d"),
    ("content_download", -0.9, 0.45, 90, "content_downloads_90d"),
    ("webinar_attended", -1.7, 0.5, 90, "webinars_attended_90d"),
    ("form_submitted", -0.7, 0.35, 30, "forms_submitted_30d"),
)
_VISITS: Final = (0, 1, 4, 6)  # events that are visits of the site
_BY_EMAIL: Final = (2, 3)

_AT_SCORING: Final = (*(event[4] for event in _EVENTS), "days_since_last_visit", "devices_used_90d")
_AFTER: Final = ("last_activity", "call_duration_s", "lead_quality")


@dataclass(frozen=True, eq=False)
class SimulatedHistory:
    """What a CRM would export, and what only a simulation can know.

    Parameters
    ----------
    leads
        One row a lead in order of creation: ``lead_id``, ``created_at`` (ISO 8601 UTC),
        attributes, behaviour as of ``created_at``, ``converted`` (1 won, 0 not won and
        mature, None unknown) and ``converted_at``.
    outcomes
        ``lead_id``, ``outcome`` (a word of :class:`leadml.leads.Outcome`), ``occurred_at``,
        ``recorded_at``; only what was recorded before the end.
    events
        ``lead_id``, ``device_id``, ``event``, ``occurred_at``, before *and after* creation.
    truth
        ``lead_id``, ``true_probability`` of converting within :data:`HORIZON_DAYS` and
        ``converts``, whether it does (0 or 1, also where nobody can know yet).
    availability
        When each learnable column of ``leads`` is known.
    """

    leads: pd.DataFrame
    outcomes: pd.DataFrame
    events: pd.DataFrame
    truth: pd.DataFrame
    availability: Mapping[str, Availability]


def simulate(
    n_leads: int,
    seed: int = 0,
    *,
    months: int = 18,
    end: datetime = END,
    leaks: bool = False,
    shift: float = 0.1,
) -> SimulatedHistory:
    """Simulate a CRM's history of a B2B company.

    The chance of converting within :data:`HORIZON_DAYS` is a smooth function of columns
    that stand in the table (with saturation, a hump, effects of missing values and four
    interactions) plus ``shift`` times the share of the period passed; nothing hidden acts.
    So a perfect model reproduces ``truth``. Around it stand the troubles of real
    histories: wins after the horizon, outcomes recorded late or not yet, sales that can
    work only so many leads a week and judge by their own rule, leads entered twice, wrong
    telephone numbers and throw-away addresses, campaigns that begin and end.

    Parameters
    ----------
    n_leads
        Rows of the lead table, at least 1.
    seed
        Same arguments, same history.
    months
        Length of the history, 1 to 120.
    end
        When the tables were taken (aware).
    leaks
        Add columns filled after the outcome: ``last_activity``, ``call_duration_s``,
        ``lead_quality`` (whose being filled at all tells).
    shift
        Rise of the log-odds from the first day to the last.

    Raises
    ------
    ConfigError
        If a number lies outside its range or ``end`` has no zone.
    """
    if n_leads < 1:
        raise ConfigError(f"cannot simulate {n_leads} leads", fix="ask for at least 1")
    if not 1 <= months <= 120:
        raise ConfigError(f"cannot simulate {months} months", fix="ask for 1 to 120")
    if end.tzinfo is None:
        raise ConfigError("the end has no time zone", fix="give an aware time (UTC)")
    rng = np.random.default_rng(seed)
    end_s = int(end.timestamp())
    start_s = end_s - round(months * 30.4375 * _DAY)
    created = _creation_times(rng, n_leads, start_s, end_s)
    who = _attributes(rng, created, start_s, end_s)
    did = _behaviour(rng, who)
    log_odds = _true_log_odds(who, did)
    log_odds += shift * ((created - start_s) / (end_s - start_s) - 0.5)
    log_odds += _intercept(log_odds)
    chance = 1.0 / (1.0 + np.exp(-log_odds))
    converts = rng.random(n_leads) < chance
    won = _won_at(rng, created, chance, converts)
    worked = _sales(rng, who, did, created, won)
    return _tables(rng, who, did, created, end_s, chance, converts, won, worked, leaks)


# --- who they are ------------------------------------------------------------------


def _creation_times(rng: np.random.Generator, n: int, start_s: int, end_s: int) -> Whole:
    """Growing demand, quiet weekends, office hours."""
    days = np.arange(start_s // _DAY + 1, end_s // _DAY)
    weekday = (days + 3) % 7  # 1970-01-01 was a Thursday
    weight = np.linspace(1.0, 1.7, len(days)) * np.where(weekday < 5, 1.0, 0.3)
    day = rng.choice(days, n, p=weight / weight.sum())
    hours: Any = np.array(
        [1, 1, 1, 1, 1, 2, 4, 8, 14, 17, 17, 15, 12, 14, 16, 16, 14, 10, 7, 6, 6, 5, 3, 2]
    )
    hour = rng.choice(24, n, p=hours / hours.sum())
    times: Whole = np.sort(day * _DAY + hour * 3600 + rng.integers(0, 3600, n))
    return times


def _draw(rng: np.random.Generator, words: Any, n: int) -> Whole:
    shares = np.array([word[1] for word in words])
    found: Whole = rng.choice(len(words), n, p=shares / shares.sum())
    return found


def _attributes(
    rng: np.random.Generator, created: Whole, start_s: int, end_s: int
) -> dict[str, Any]:
    """Codes of each attribute (-1 missing), shape (n,) each."""
    n = len(created)
    industry = _draw(rng, _INDUSTRIES, n)
    size = rng.normal(4.3, 1.7, n) + 0.25 * np.isin(industry, (1, 2, 4))
    who: dict[str, Any] = {
        "industry": industry,
        "country": _draw(rng, _COUNTRIES, n),
        "employees": np.round(np.exp(np.clip(size, 0.0, 11.5))),
        "job_level": _draw(rng, _JOB_LEVELS, n),
        "source": _draw(rng, _SOURCES, n),
        "email_type": _draw(rng, _EMAIL_TYPES, n),
        "first_device": _draw(rng, _DEVICES, n),
        "contact_consent": rng.random(n) < 0.78,
        "person": np.arange(n),
    }
    # Paid search grows while the history goes on: the mix drifts, the effects do not.
    late = rng.random(n) < 0.25 * (created - start_s) / (end_s - start_s)
    who["source"] = np.where(late & (who["source"] == 0), 1, who["source"])
    for name, share in (("industry", 0.04), ("country", 0.02), ("job_level", 0.12)):
        who[name] = np.where(rng.random(n) < share, -1, who[name])
    # Small companies tell their size less often.
    unknown = rng.random(n) < np.where(who["employees"] < 20, 0.24, 0.11)
    who["employees"] = np.where(unknown, np.nan, who["employees"])
    # The same person again, some leads later, entered anew.
    again = np.flatnonzero(rng.random(n) < 0.01)
    first = np.maximum(again - rng.integers(1, 200, len(again)), 0)
    for values in who.values():
        values[again] = values[first]
    who["again"] = np.zeros(n, dtype=bool)
    who["again"][again] = again != first
    quarter = (created // _DAY - start_s // _DAY) // 91
    who["campaign"] = np.where(rng.random(n) < 0.35, -1, quarter * len(_SOURCES) + who["source"])
    who["intent"] = (
        rng.normal(0.0, 1.0, n) + 0.25 * (who["source"] == 7) - 0.3 * (who["source"] == 6)
    )
    return who


# --- what they did -----------------------------------------------------------------


def _behaviour(rng: np.random.Generator, who: Mapping[str, Any]) -> dict[str, Any]:
    """Events before creation, and their sums as of creation."""
    n = len(who["intent"])
    leads, kinds, ages = [], [], []
    for code, (_, mean, slope, _, _) in enumerate(_EVENTS):
        rate = np.exp(mean + slope * who["intent"] - 0.5 * slope**2)
        if code in _BY_EMAIL:
            rate = rate * np.where(who["contact_consent"], 1.15, 0.0)
        count = np.minimum(rng.poisson(rate), 200)
        lead = np.repeat(np.arange(n), count)
        leads.append(lead)
        kinds.append(np.full(len(lead), code))
        ages.append(_LOOK_BACK_DAYS * rng.random(len(lead)) ** 1.7 + 1e-4)
    lead, kind, age = np.concatenate(leads), np.concatenate(kinds), np.concatenate(ages)
    devices = np.where(rng.random(n) < 0.35, 2, 1) + (rng.random(n) < 0.06)
    # People mostly use their first device.
    device = np.minimum(rng.geometric(0.65, len(lead)) - 1, devices[lead] - 1)
    did: dict[str, Any] = {"lead": lead, "kind": kind, "age_days": age, "device": device}
    for code, (_, _, _, window, column) in enumerate(_EVENTS):
        inside = (kind == code) & (age <= window)
        did[column] = np.bincount(lead[inside], minlength=n)
    last = np.full(n, np.inf)
    visit = np.isin(kind, _VISITS)
    np.minimum.at(last, lead[visit], age[visit])
    did["days_since_last_visit"] = np.where(np.isfinite(last), np.floor(last), np.nan)
    used = np.unique(lead * 4 + device)
    did["devices_used_90d"] = np.bincount(used // 4, minlength=n)
    return did


# --- what becomes of them ----------------------------------------------------------


def _effect(words: Any, codes: Whole, missing: float) -> Floats:
    table = np.array([*(word[2] for word in words), missing])  # -1 is the last
    found: Floats = table[codes]
    return found


def _true_log_odds(who: Mapping[str, Any], did: Mapping[str, Any]) -> Floats:
    """The truth but for its intercept; every term is a column of the table."""
    size = np.log10(np.maximum(np.nan_to_num(who["employees"], nan=1.0), 1.0))
    hump = 0.45 - 0.42 * (size - 2.3) ** 2
    pricing = np.minimum(did["pricing_page_views_30d"], 8)
    recent = np.exp(-np.nan_to_num(did["days_since_last_visit"]) / 10.0)
    webinar = did["webinars_attended_90d"] > 0
    f = (
        _effect(_INDUSTRIES, who["industry"], -0.1)
        + _effect(_COUNTRIES, who["country"], -0.1)
        + _effect(_JOB_LEVELS, who["job_level"], -0.3)
        + _effect(_SOURCES, who["source"], 0.0)
        + _effect(_EMAIL_TYPES, who["email_type"], 0.0)
        + np.where(np.isnan(who["employees"]), -0.2, hump)
        + np.where(who["contact_consent"], 0.0, -0.15)
        + 0.75 * np.log1p(pricing)
        + 0.15 * np.log1p(did["page_views_30d"])
        + 0.12 * np.log1p(did["emails_opened_30d"])
        + 0.35 * (did["emails_clicked_30d"] > 0)
        + 0.2 * np.minimum(did["content_downloads_90d"], 3)
        + 0.4 * webinar
        + 0.3 * np.log1p(did["forms_submitted_30d"])
        + np.where(np.isnan(did["days_since_last_visit"]), -0.4, 0.7 * recent - 0.3)
    )
    # Four pairs that act together.
    f += 0.5 * ((pricing > 0) & np.isin(who["job_level"], _DECIDERS))
    f += 0.6 * (np.nan_to_num(who["employees"]) >= 1000) * (who["source"] == _PARTNER_SOURCE)
    f += 0.5 * (webinar & (who["industry"] == 2))
    f -= 0.4 * ((who["country"] == 1) & (who["source"] == _EVENT_SOURCE))
    found: Floats = 1.15 * f
    return found


def _intercept(log_odds: Floats) -> float:
    """What makes the mean chance :data:`_BASE_RATE`, found by halving."""
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        if np.mean(1.0 / (1.0 + np.exp(-(log_odds + middle)))) < _BASE_RATE:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _won_at(rng: np.random.Generator, created: Whole, chance: Floats, converts: Any) -> Floats:
    """Second of the win, infinite without one; some win after the horizon."""
    n = len(created)
    days = rng.gamma(1.6, 20.0, n)
    for _ in range(20):  # drawn again until within the horizon
        beyond = days >= HORIZON_DAYS
        if not beyond.any():
            break
        days[beyond] = rng.gamma(1.6, 20.0, int(beyond.sum()))
    days = np.minimum(days, HORIZON_DAYS - 0.01)
    late = ~converts & (rng.random(n) < 0.12 * chance)
    after = np.where(converts, days, HORIZON_DAYS + rng.exponential(45.0, n))
    return np.where(converts | late, created + np.maximum(after, 0.05) * _DAY, np.inf)


def _sales(
    rng: np.random.Generator,
    who: Mapping[str, Any],
    did: Mapping[str, Any],
    created: Whole,
    won: Floats,
) -> dict[str, Any]:
    """Which leads people worked, how they judged, and when (seconds, infinite: never).

    A rule of thumb ranks each week's leads, capacity takes the best. It changes what is
    recorded, not who converts: leads that nobody works can still buy.
    """
    n = len(created)
    thumb = (
        _effect(_SOURCES, who["source"], 0.0)
        + 0.8 * np.isin(who["job_level"], _DECIDERS)
        + 0.3 * np.log10(np.nan_to_num(who["employees"], nan=10.0) + 1)
        + 0.4 * np.minimum(did["pricing_page_views_30d"], 3)
        + rng.normal(0.0, 0.7, n)
    )
    week = (created // _DAY + 3) // 7
    order = np.lexsort((-thumb, week))
    _, begins = np.unique(week[order], return_index=True)
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n) - begins[np.searchsorted(begins, np.arange(n), side="right") - 1]
    capacity = max(1, round(0.4 * n / (week[-1] - week[0] + 1)))
    worked = rank < capacity
    hopeless = (who["email_type"] == 2) | (who["job_level"] == _STUDENT)
    wins = np.isfinite(won)
    liked = thumb + np.where(wins, 1.2, 0.0) + rng.normal(0.0, 0.6, n) > np.median(thumb)
    accepted = worked & liked & ~(hopeless & ~wins)
    first_contact = created + rng.exponential(1.5, n) * _DAY + 1800
    decided = np.where(worked, np.minimum(first_contact, (created + won) / 2), np.inf)
    opportunity = accepted & (wins | (rng.random(n) < 0.3))
    opened = np.where(opportunity, decided + rng.exponential(8.0, n) * _DAY + 3600, np.inf)
    opened = np.where(opportunity & wins, np.minimum(opened, (decided + won) / 2), opened)
    closed = np.where(accepted & ~wins, decided + (20 + rng.exponential(45.0, n)) * _DAY, np.inf)
    closed = np.where(opportunity & ~wins, opened + (10 + rng.exponential(40.0, n)) * _DAY, closed)
    refused = worked & ~accepted
    return {
        "decided": decided,
        "accepted": np.where(accepted, decided, np.inf),
        "rejected": np.where(refused & ~(hopeless & ~wins), decided, np.inf),
        "disqualified": np.where(refused & hopeless & ~wins, decided, np.inf),
        "opportunity": opened,
        "won": won,
        "lost": closed,
    }


# --- as tables ---------------------------------------------------------------------


def _iso(seconds: Any) -> NDArray[Any]:
    whole = np.asarray(seconds).astype(np.int64).astype("datetime64[s]")
    return np.char.add(np.datetime_as_string(whole), "Z").astype(object)


def _words(words: Any, codes: Whole) -> NDArray[Any]:
    return np.array([*(word[0] for word in words), None], dtype=object)[codes]


def _whole_or_none(values: Floats) -> Any:
    import pandas as pd

    missing = np.isnan(values)
    return pd.arrays.IntegerArray(np.nan_to_num(values).astype(np.int64), missing)


def _tables(
    rng: np.random.Generator,
    who: Mapping[str, Any],
    did: Mapping[str, Any],
    created: Whole,
    end_s: int,
    chance: Floats,
    converts: Any,
    won: Floats,
    worked: Mapping[str, Any],
    leaks: bool,
) -> SimulatedHistory:
    import pandas as pd

    n = len(created)
    ids = np.array([f"L{number:07d}" for number in range(1, n + 1)], dtype=object)
    recorded = won + rng.exponential(1.0, n) * _DAY
    known = recorded < end_s
    mature = end_s - created >= HORIZON_DAYS * _DAY
    converted = np.full(n, None, dtype=object)
    converted[mature] = 0
    converted[known] = 1
    converted_at = np.full(n, None, dtype=object)
    converted_at[known] = _iso(won[known])
    campaign = np.array(
        [
            None
            if code < 0
            else f"{_SOURCES[code % 9][0].lower().replace(' ', '-')}-{code // 9 + 1}"
            for code in range(-1, int(who["campaign"].max()) + 1)
        ],
        dtype=object,
    )[who["campaign"] + 1]
    columns: dict[str, Any] = {
        "lead_id": ids,
        "created_at": _iso(created),
        "industry": _words(_INDUSTRIES, who["industry"]),
        "country": _words(_COUNTRIES, who["country"]),
        "employees": _whole_or_none(who["employees"]),
        "job_level": _words(_JOB_LEVELS, who["job_level"]),
        "source": _words(_SOURCES, who["source"]),
        "campaign": campaign,
        "email_type": _words(_EMAIL_TYPES, who["email_type"]),
        "first_device": _words(_DEVICES, who["first_device"]),
        "contact_consent": np.where(who["contact_consent"], "true", "false").astype(object),
        "owner": np.array(_OWNERS, dtype=object)[who["person"] % len(_OWNERS)],
        **_contacts(rng, who),
        **{name: did[name] for name in _AT_SCORING if name != "days_since_last_visit"},
        "days_since_last_visit": _whole_or_none(did["days_since_last_visit"]),
    }
    if leaks:
        columns |= _leaks(rng, known, worked, end_s)
    availability = {
        name: Availability.SCORING
        if name in _AT_SCORING
        else Availability.AFTER
        if name in _AFTER
        else Availability.CREATION
        for name in columns
        if name not in ("lead_id", "created_at")
    }
    columns["converted"] = pd.array(converted, "Int64")
    columns["converted_at"] = converted_at
    truth = pd.DataFrame(
        {"lead_id": ids, "true_probability": chance, "converts": converts.astype(np.int64)}
    )
    return SimulatedHistory(
        leads=pd.DataFrame(columns),
        outcomes=_outcomes(ids, worked, recorded, end_s),
        events=_events(rng, ids, did, created, won, end_s),
        truth=truth,
        availability=availability,
    )


def _contacts(rng: np.random.Generator, who: Mapping[str, Any]) -> dict[str, Any]:
    """Invented addresses in reserved domains; some wrong, some entered twice."""
    domain = np.array(["example.com", "freemail.example", "throwaway.example"], dtype=object)
    person, broken = who["person"], rng.random(len(who["person"]))
    company = np.char.add("company", (person % 9973).astype(str)).astype(object) + "."
    host = np.where(who["email_type"] == 0, company, "") + domain[who["email_type"]]
    local = np.char.add("person", person.astype(str)).astype(object)
    email = np.where(broken < 0.02, local + "@", local + "@" + host)
    email = np.where(who["again"], np.char.upper(email.astype(str)), email)
    number = 5550000 + person * 7919 % 449_999
    phone = np.char.add("+49 30 ", number.astype(str)).astype(object)
    phone[(broken > 0.3) & (broken < 0.35)] = "12345"
    phone[broken > 0.7] = None
    return {"email": email.astype(object), "phone": phone}


def _leaks(
    rng: np.random.Generator, known: Any, worked: Mapping[str, Any], end_s: int
) -> dict[str, Any]:
    """Columns that people and machines fill in afterwards."""
    import pandas as pd

    n = len(known)
    good = np.array(["Contract signed", "Onboarding call", "Email opened"], dtype=object)
    bad = np.array(["Email opened", "Unsubscribed", "Email bounced", "Called"], dtype=object)
    activity = np.where(
        known, good[rng.choice(3, n, p=[0.6, 0.2, 0.2])], bad[rng.integers(0, 4, n)]
    )
    called = worked["decided"] < end_s
    seconds = np.round(np.exp(rng.normal(np.where(known, 6.2, 4.8), 0.7)))
    seconds = np.where(called, seconds, 0)
    levels = np.array(["High", "Medium", "Low", "Not sure"], dtype=object)
    judged = (worked["accepted"] < end_s) & (rng.random(n) < 0.85)
    quality = np.where(known, rng.choice(4, n, p=[0.5, 0.3, 0.1, 0.1]), rng.integers(0, 4, n))
    noted = levels[quality]
    noted[~judged] = None
    return {
        "last_activity": activity,
        "call_duration_s": pd.array(seconds.astype(np.int64), "Int64"),
        "lead_quality": noted,
    }


def _outcomes(ids: Any, worked: Mapping[str, Any], recorded: Floats, end_s: int) -> pd.DataFrame:
    import pandas as pd

    parts = []
    for outcome in ("accepted", "rejected", "disqualified", "opportunity", "won", "lost"):
        at = worked[outcome]
        entered = recorded if outcome == "won" else at + 3600
        rows = np.flatnonzero(entered < end_s)
        parts.append(
            pd.DataFrame(
                {
                    "lead_id": ids[rows],
                    "outcome": outcome,
                    "occurred_at": _iso(at[rows]),
                    "recorded_at": _iso(entered[rows]),
                }
            )
        )
    found = pd.concat(parts, ignore_index=True)
    return found.sort_values(["occurred_at", "lead_id", "outcome"], ignore_index=True)


def _events(
    rng: np.random.Generator,
    ids: Any,
    did: Mapping[str, Any],
    created: Whole,
    won: Floats,
    end_s: int,
) -> pd.DataFrame:
    """Everything that happened, also after creation, which no score may use."""
    import pandas as pd

    until = np.minimum(np.minimum(won, created + 60 * _DAY), end_s)
    later = np.repeat(np.arange(len(ids)), rng.poisson(2.0, len(ids)))
    at = created[later] + rng.random(len(later)) * np.maximum(until - created, 0)[later]
    lead = np.concatenate([did["lead"], later])
    kind = np.concatenate([did["kind"], rng.integers(0, len(_EVENTS), len(later))])
    device = np.concatenate([did["device"], np.zeros(len(later), dtype=np.int64)])
    time = np.concatenate([created[did["lead"]] - did["age_days"] * _DAY, at]).astype(np.int64)
    order = np.lexsort((device, kind, lead, time))
    names = np.array([event[0] for event in _EVENTS], dtype=object)
    which = np.array(["a", "b", "c", "d"], dtype=object)
    return pd.DataFrame(
        {
            "lead_id": ids[lead[order]],
            "device_id": ids[lead[order]] + "-" + which[device[order]],
            "event": names[kind[order]],
            "occurred_at": _iso(time[order]),
        }
    )


def write_history(history: SimulatedHistory, folder: str | Path) -> tuple[Path, ...]:
    """Write ``leads.csv``, ``outcomes.csv``, ``events.parquet`` and, apart, ``truth/truth.csv``.

    Parameters
    ----------
    history
        From :func:`simulate`.
    folder
        Made if it does not exist; older files of these names are replaced.

    Returns
    -------
    tuple of pathlib.Path
        The files, truth last.
    """
    folder = Path(folder)
    return (
        write_table(history.leads, folder / "leads.csv", safe=False),
        write_table(history.outcomes, folder / "outcomes.csv", safe=False),
        write_table(history.events, folder / "events.parquet"),
        write_table(history.truth, folder / "truth" / "truth.csv", safe=False),
    )
