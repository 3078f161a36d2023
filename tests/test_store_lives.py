"""leadml.store.lives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadml.leads.vocabulary import Outcome, Stage
from leadml.store import Happening, Report, Store
from leadml.store.records import now
from tests import stored
from tests.stored import START, decision


def fill(store: Store, n: int) -> None:
    """Leads L000, L001, … of rising probability, all consented; every third is an MQL."""
    store.record_decisions(
        [
            decision(
                f"L{number:03}",
                0.2 + number / 1000 if number % 3 == 0 else 0.01,
                contact_consent=True,
                inputs={"company": f"Firm {number} Ltd", "source": ("Web", "Fair")[number % 2]},
                at=START + timedelta(minutes=number),
            )
            for number in range(n)
        ]
    )


def pages(take: Any, limit: int) -> list[list[dict[str, Any]]]:
    """All pages, each asked for behind the last lead of the one before."""
    found: list[list[dict[str, Any]]] = []
    after = None
    while page := take(limit, after):
        found.append(page)
        last = page[-1]
        after = (last.get("order", last.get("expected_value")), last["lead_id"])
    return found


def test_lead_as_it_stands(store: Store) -> None:
    """Latest score, trend, consent, what sales learnt and the steps that are open."""
    store.record_decisions([decision("L1", 0.02, day=0, log_odds=-4.0)])
    store.record_decisions([decision("L1", 0.2, day=1, log_odds=-1.5, contact_consent=True)])
    known = {"budget": "50k", "need": True, "chat": "nice"}
    at = START + timedelta(days=2)
    store.record_reports([Report("L1", Outcome.ACCEPTED, at, by="sales", details=known)])
    found = store.lives.lead("L1")
    assert found is not None
    assert (found["stage"], found["contact_consent"], found["objection"]) == ("sal", True, False)
    assert found["latest"]["probability"] == 0.2
    assert found["latest"]["model_version"] == "leads@7"
    assert (found["trend"]["direction"], found["trend"]["log_odds_change"]) == ("rising", 2.5)
    assert found["bant"] == {"budget": "50k", "need": True}
    assert "opportunity" in found["open_steps"]
    assert found["attributes"] == {"industry": "Healthcare", "employees": 240}
    assert store.lives.lead("L2") is None


def test_trend_never_compares_models(store: Store) -> None:
    """A first score under a new model has no trend, whatever the old model said."""
    store.record_decisions([decision("L1", 0.02, day=0)])
    store.record_decisions([decision("L1", 0.2, day=1, model_version="leads@8")])
    found = store.lives.lead("L1")
    assert found is not None
    assert "trend" not in found


def test_history_weaves_what_the_lead_did(store: Store) -> None:
    """Events stand between scores and reports in the order of time, with the stage then."""
    store.record_decisions([decision("L1", 0.2, day=0), decision("L1", 0.21, day=4)])
    store.record_reports(
        [Report("L1", Outcome.REJECTED, START + timedelta(days=2), reason="no_budget", by="eve")]
    )
    store.lives.happen(
        [
            Happening("L1", "email_click", START + timedelta(days=3), {"campaign": "spring"}),
            Happening("L1", "page_view", START - timedelta(days=1)),
            Happening("L1", "call", START + timedelta(days=9)),
        ]
    )
    told = store.lives.history("L1")
    assert [(entry["event"], entry.get("what"), entry["stage"]) for entry in told] == [
        ("did", "page_view", "cold"),
        ("scored", None, "mql"),
        ("rejected", None, "nurture"),
        ("did", "email_click", "nurture"),
        ("scored", None, "nurture"),
        ("did", "call", "nurture"),
    ]
    assert told[1]["decision_id"].startswith("dec_")
    assert (told[2]["reason"], told[2]["by"]) == ("no_budget", "eve")
    assert told[3]["details"] == {"campaign": "spring"}


def test_events_count_once_and_spoil_no_other(store: Store) -> None:
    """A repeated event is a duplicate; one of the future or of an erased lead is refused."""
    store.erase("gone", by="dpo")
    given = [
        Happening("L1", "page_view", START),
        Happening("L1", "page_view", START),
        Happening("L1", "page_view", now() + timedelta(days=1)),
        Happening("gone", "page_view", START),
        Happening("L2", "page_view", START),
    ]
    found = store.lives.happen(given)
    assert [h.duplicate for h in found] == [False, True, False, False, False]
    codes = [h.error.code if h.error else "" for h in found]
    assert codes == ["", "", "invalid_field", "lead_erased", ""]
    assert [h.duplicate for h in store.lives.happen(given[:1])] == [True]
    assert store.counts()["events"] == 2


def test_events_alone_are_exported_and_erased(store: Store) -> None:
    """What a lead did is personal data even if the lead was never scored."""
    store.lives.happen([Happening("L1", "page_view", START)])
    assert store.export("L1", by="dpo")["events"][0]["event"] == "page_view"
    assert store.erase("L1", by="dpo").rows["events"] == 1


def test_queue_is_by_expected_value(store: Store) -> None:
    """A likely lead of small value waits behind an unlikely one of large value."""
    store.record_decisions(
        [
            decision("small", 0.4, contact_consent=True, value=100.0),
            decision("large", 0.2, contact_consent=True, value=1000.0),
            decision("silent", 0.9, value=1000.0),
            decision("cold", 0.01, contact_consent=True, value=1e9),
            decision("worked", 0.5, contact_consent=True, value=1000.0),
        ]
    )
    store.record_reports([Report("worked", Outcome.ACCEPTED, now())])
    found = store.lives.waiting(10, attributes=["industry", "absent"])
    assert [lead["lead_id"] for lead in found.leads] == ["large", "small"]
    assert [lead["expected_value"] for lead in found.leads] == [200.0, 40.0]
    assert found.leads[0]["attributes"] == {"industry": "Healthcare"}
    assert found.taken == 1


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(1, 9))
def test_pages_hold_each_lead_once(store: Store, limit: int) -> None:
    """Page by page every lead comes once and in order, in lists and in the queue."""
    if not store.counts()["leads"]:
        fill(store, 25)
    everything = pages(lambda n, after: store.lives.page(n, after=after), limit)
    ids = [lead["lead_id"] for page in everything for lead in page]
    assert ids == [f"L{number:03}" for number in reversed(range(25))]
    mqls = pages(lambda n, after: store.lives.page(n, stage=Stage.MQL, after=after), limit)
    ids = [lead["lead_id"] for page in mqls for lead in page]
    assert ids == [f"L{number:03}" for number in range(24, -1, -3)]
    queue = pages(lambda n, after: store.lives.waiting(n, after).leads, limit)
    assert [lead["lead_id"] for page in queue for lead in page] == ids


def test_a_page_stays_where_it_was(store: Store) -> None:
    """Leads that come in between two pages neither repeat nor hide a lead."""
    fill(store, 9)
    first = store.lives.waiting(1).leads
    store.record_decisions(
        [decision("L900", 0.9, contact_consent=True), decision("L901", 0.2, contact_consent=True)]
    )
    after = (first[0]["expected_value"], first[0]["lead_id"])
    rest = [lead["lead_id"] for lead in store.lives.waiting(9, after).leads]
    assert rest == ["L003", "L000", "L901"]


@pytest.mark.parametrize(
    ("q", "source", "n"),
    [
        ("L00", "", 10),
        ("l00", "", 10),
        ("firm 1", "", 7),
        ("LTD", "", 16),
        ("", "fair", 8),
        ("firm 1", "fair", 4),
        ("100%", "", 0),
        ("_", "", 0),
        ('"', "", 0),
    ],
)
def test_search(store: Store, q: str, source: str, n: int) -> None:
    """By the start of an id or a text in an attribute, any case; no character is special."""
    fill(store, 16)
    found = store.lives.page(50, q=q, source=source)
    assert len(found) == n
    assert found == sorted(found, key=lambda lead: -lead["order"])


def test_search_finds_an_id_beyond_the_newest(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id is found by its start however many leads changed since."""
    fill(store, 9)
    monkeypatch.setattr("leadml.store.lives.SEARCHED", 2)
    assert [lead["lead_id"] for lead in store.lives.page(5, q="L000")] == ["L000"]
    assert store.lives.page(5, q="Firm 0") == []


def test_moments_are_read_as_they_happened(store: Store) -> None:
    """The moment of an event keeps its microseconds."""
    at = datetime(2026, 3, 2, 9, 0, 0, 1, tzinfo=UTC)
    store.lives.happen([Happening("L1", "page_view", at)])
    assert store.lives.history("L1")[0]["at"] == "2026-03-02T09:00:00.000001Z"


def test_pages_are_found_by_index(tmp_path: Path) -> None:
    """No page, queue or search by id walks over all leads or sorts them."""
    store = Store(f"sqlite:///{tmp_path / 'leadml.db'}")
    store.migrate()
    fill(store, 5)
    asked: list[str] = []
    engine = store._database._reading
    sa.event.listen(
        engine,
        "before_cursor_execute",
        lambda on, cursor, statement, parameters, context, many: asked.append(
            " ".join(
                row[3]
                for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            )
        ),
    )
    after = (0.5, "L1")
    for look in (
        lambda: store.lives.page(5),
        lambda: store.lives.page(5, after=after),
        lambda: store.lives.page(5, stage=Stage.MQL),
        lambda: store.lives.page(5, stage=Stage.MQL, after=after),
        lambda: store.lives.waiting(5),
        lambda: store.lives.waiting(5, after),
        lambda: store.lives.lead("L001"),
        lambda: store.lives.history("L001"),
    ):
        look()
    store.close()
    assert len(asked) > 10
    assert [plan for plan in asked if "SCAN" in plan and "USING" not in plan] == []
    assert [plan for plan in asked if "leads" in plan and "TEMP B-TREE FOR ORDER" in plan] == []
    walked = [plan for plan in asked if "SCAN leads USING INDEX" in plan]
    assert len(walked) == 1  # the first page of all


def test_a_search_finds_text_of_any_alphabet_and_no_pattern(store: Store) -> None:
    """Case, accents, backslashes and the signs of LIKE are found as they are written."""
    names = ("Müller & Söhne", "STRASSE 7", "100% wool", "a_b", "back\\slash", 'quo"te', "Ωmega")
    decisions = [
        stored.decision(f"N{i}", 0.2, inputs={"company": name}) for i, name in enumerate(names)
    ]
    store.record_decisions(decisions)
    for asked, wanted in (
        ("müller", [0]),
        ("strasse", [1]),
        ("0% w", [2]),
        ("a_b", [3]),
        ("k\\s", [4]),
        ('o"t', [5]),
        ("ωmega", [6]),
        ("%", [2]),
        ("_", [3]),
        ("nobody", []),
    ):
        found = {lead["lead_id"] for lead in store.lives.page(10, q=asked)}
        assert found == {f"N{i}" for i in wanted}, asked


def test_filters_find_exactly_what_stands_there(store: Store) -> None:
    """Source and owner of any letters and signs are found whole, in any case, and together."""
    names = ("Müller", "ads 100%", 'the "best"', "a\\b", "a_b", "axb", "tab\there", "Straße")
    decisions = [
        stored.decision(f"N{i}", 0.2, inputs={"source": name, "owner": names[i - 1]})
        for i, name in enumerate(names)
    ]
    store.record_decisions(decisions)
    for i, name in enumerate(names):
        for asked in ({"source": name.upper()}, {"source": name, "owner": names[i - 1]}):
            found = [lead["lead_id"] for lead in store.lives.page(10, **asked)]
            assert found == [f"N{i}"], asked
    assert store.lives.page(10, source="Müller", owner="Müller") == []
    assert store.lives.page(10, source="ads") == []
