"""leadml.store.remembering: leads written from several sides at once."""

import itertools
import random
import threading
from datetime import timedelta

import sqlalchemy as sa
from stored import START, decision, listen

from leadml.leads import Outcome
from leadml.store import Report, Store, tables
from leadml.store.records import now

LEADS = [f"L{n:02d}" for n in range(12)]
ROUNDS = 12


def test_two_processes_on_the_same_leads_agree(database_url):
    """Stores that write the same leads at once, in any order, lose no event and no message."""
    stores = [Store(database_url, wait_s=10) for _ in range(2)]
    failed = []
    listen(stores[0])

    def work(place: int) -> None:
        chance = random.Random(place)
        store = stores[place % 2]
        try:
            for number in range(ROUNDS):
                at = START + timedelta(hours=ROUNDS * place + number)
                some = chance.sample(LEADS, len(LEADS))
                chances = (0.01, 0.06, 0.2, 0.4)
                store.record_decisions([decision(i, chance.choice(chances), at=at) for i in some])
                outcome = chance.choice([Outcome.ACCEPTED, Outcome.REJECTED, Outcome.LOST])
                store.record_reports([Report(i, outcome, at, reason="no") for i in some[:2]])
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    one = stores[0]
    counts = one.counts()
    assert counts["decisions"] == 6 * ROUNDS * len(LEADS)
    assert counts["outcomes"] == 6 * ROUNDS * 2
    assert counts["stages"] + counts["outcomes"] == counts["outbox"]
    for lead_id in LEADS:
        lead, history = one.lead(lead_id), one.history(lead_id)
        assert lead["stage"] == history[-1]["stage"]
        latest = [event for event in history if event["event"] == "scored"][-1]
        assert lead["probability"] == latest["probability"]
    with one._database.reading() as connection:
        c = tables.stages.c
        changes = connection.execute(
            sa.select(c.lead_id, c.previous, c.stage).order_by(c.lead_id, c.change_id)
        ).all()
    for before, after in itertools.pairwise(changes):
        assert before.lead_id != after.lead_id or before.stage == after.previous
    for store in stores:
        store.close()


def test_a_refused_report_leaves_no_lead_behind(store):
    """A report that is refused does not make its lead known."""
    store.record_reports([Report("ghost", Outcome.REJECTED, START)])
    assert store.lead("ghost") is None


def test_of_two_decisions_at_one_moment_the_one_written_later_stands(store):
    """A lead shows the latest score; where two are of the same moment, the one that came last."""
    store.record_decisions([decision("L1", 0.02)])
    store.record_decisions([decision("L1", 0.06)])
    assert store.lead("L1")["probability"] == 0.06
    store.record_decisions([decision("L1", 0.4, day=-1)])
    assert store.lead("L1")["probability"] == 0.06


def test_at_one_moment_scores_count_before_reports(store):
    """A cold score of the very moment of a rejection, come later, leaves the lead rejected."""
    store.record_decisions([decision("L1", 0.2)])
    at = START + timedelta(days=1)
    store.record_reports([Report("L1", Outcome.REJECTED, at, reason="no budget")])
    store.record_decisions([decision("L1", 0.01, at=at)])
    assert store.lead("L1")["stage"] == "nurture"


def test_a_report_that_comes_twice_at_once_counts_once(store):
    """Of two equal reports in one request the second is a duplicate."""
    store.record_decisions([decision("L1", 0.2)])
    report = Report("L1", Outcome.ACCEPTED, START + timedelta(days=1))
    found = store.record_reports([report, report])
    assert [one.duplicate for one in found] == [False, True]
    assert store.counts()["outcomes"] == 1


def test_a_report_of_tomorrow_is_refused_and_spoils_no_other(store):
    """What has not happened yet is no outcome; clocks may differ by a few minutes."""
    store.record_decisions([decision("L1", 0.2)])
    ahead = [now() + timedelta(hours=1), now() + timedelta(minutes=2)]
    late, soon = store.record_reports([Report("L1", Outcome.ACCEPTED, at) for at in ahead])
    assert (late.error.code, late.error.column) == ("invalid_field", "occurred_at")
    assert soon.error is None
    assert store.lead("L1")["stage"] == "sal"


def test_at_one_moment_a_withdrawal_outweighs_consent(store):
    """Whoever says yes and no at the same moment may not be contacted, whatever came first."""
    for lead_id, order in (("L1", (True, False)), ("L2", (False, True))):
        store.record_decisions([decision(lead_id, 0.2)])
        for consent in order:
            store.set_consent(lead_id, contact_consent=consent, by="crm", at=START)
        assert store.lead(lead_id)["contact_consent"] is False
        assert store.lead(lead_id)["stage"] == "nurture"


def test_a_change_is_announced_once_with_its_reasons(store):
    """The message of a change carries what a receiver shows: score, reasons, versions."""
    listen(store)
    why = [{"field": "visits", "text": "3 visits", "log_odds": 0.7}]
    store.record_decisions([decision("L1", 0.1713, score=81, reasons=why)])
    store.record_decisions([decision("L1", 0.18, day=1)])
    (message,) = store.messages()
    assert message["payload"] == {
        "type": "lead.became_mql",
        "timestamp": "2026-03-02T09:00:00Z",
        "data": {
            "lead_id": "L1",
            "stage": "mql",
            "previous_stage": "cold",
            "probability": 0.1713,
            "score": 81,
            "reasons": [{"field": "visits", "text": "3 visits"}],
            "grade": "D",
            "model_version": "leads@7",
            "policy_version": "1",
        },
    }


def test_an_outcome_is_told_with_the_latest_score(store):
    """A report is a message of its own, moved stage or not, with score, reasons and versions."""
    listen(store)
    why = [{"field": "visits", "text": "3 visits", "log_odds": 0.7}]
    store.record_decisions([decision("L1", 0.1713, score=81, reasons=why)])
    store.record_reports(
        [
            Report("L1", Outcome.ACCEPTED, START + timedelta(days=1), by="sales"),
            Report("L1", Outcome.ACCEPTED, START + timedelta(days=2)),
        ]
    )
    _, first, moved, second = store.messages()
    assert [one["type"] for one in (first, moved, second)] == [
        "lead.outcome",
        "lead.became_sal",
        "lead.outcome",
    ]
    assert first["payload"] == {
        "type": "lead.outcome",
        "timestamp": "2026-03-03T09:00:00Z",
        "data": {
            "lead_id": "L1",
            "stage": "sal",
            "previous_stage": "mql",
            "probability": 0.1713,
            "score": 81,
            "reasons": [{"field": "visits", "text": "3 visits"}],
            "grade": "D",
            "model_version": "leads@7",
            "policy_version": "1",
            "outcome": "accepted",
            "occurred_at": "2026-03-03T09:00:00Z",
            "by": "sales",
        },
    }
    assert second["payload"]["data"]["previous_stage"] == "sal"


def test_a_lead_that_leaves_sales_is_told_as_dropped(store):
    """Below the lines again, or rejected: the message is lead.dropped."""
    listen(store)
    store.record_decisions([decision("L1", 0.2), decision("L1", 0.01, day=1)])
    assert [one["type"] for one in store.messages()] == ["lead.became_mql", "lead.dropped"]


def test_nothing_is_told_of_a_lead_that_objected(store):
    """From its objection on no message is written for a lead, whatever happens to it."""
    listen(store)
    store.record_decisions([decision("L1", 0.2)])
    store.set_consent("L1", objection=True, by="lead", at=START + timedelta(days=1))
    store.record_decisions([decision("L1", 0.9, day=2)])
    store.record_reports([Report("L1", Outcome.ACCEPTED, START + timedelta(days=3))])
    assert [one["type"] for one in store.messages()] == ["lead.became_mql"]
    assert store.counts()["stages"] == 3


def test_late_consent_does_not_overrule_a_newer_withdrawal(store):
    """What was said last about consent holds, whenever it arrives."""
    day = timedelta(days=1)
    store.record_decisions([decision("L1", 0.2, contact_consent=True)])
    store.set_consent("L1", contact_consent=False, by="crm", at=START + 5 * day)
    store.record_decisions([decision("L1", 0.2, day=3, contact_consent=True)])
    lead = store.lead("L1")
    assert (lead["contact_consent"], lead["stage"]) == (False, "nurture")
    store.set_consent("L1", objection=True, by="lead", at=START + 4 * day)
    store.set_consent("L1", contact_consent=True, by="crm", at=START + 6 * day)
    lead = store.lead("L1")
    assert (lead["contact_consent"], lead["objection"], lead["stage"]) == (True, True, "nurture")
