"""leadml.store.store."""

from datetime import timedelta

import pytest
from stored import START, decision, listen

from leadml.errors import (
    ConfigError,
    ImpossibleValue,
    LeadErased,
    NotFound,
    StepNotOpen,
    StoreError,
)
from leadml.leads import Outcome, Stage
from leadml.store import Report, Store


def report(outcome: str, day: float, lead_id: str = "L1", **more) -> Report:
    """A report so many days after the first score."""
    at = START + timedelta(days=day)
    if outcome == "rejected":
        more.setdefault("reason", "no_budget")
    return Report(lead_id, Outcome(outcome), at, **more)


def test_a_decision_is_kept_whole(store):
    """What was scored, why and under which versions can be read back bit for bit."""
    made = decision(
        "L1", 0.1234, inputs={"a": 0.1, "b": "ü\u0000"}, contributions=[0.1 + 0.2, -1e-300]
    )
    (recorded,) = store.record_decisions([made])
    found = store.decision(recorded.decision_id)
    assert found["inputs"] == {"a": 0.1, "b": "ü\u0000"}
    assert found["contributions"] == [0.1 + 0.2, -1e-300]
    assert found["probability"] == 0.1234
    assert found["mql_line"] == 0.1
    assert found["model_version"] == "leads@7"
    assert found["at"] == "2026-03-02T09:00:00Z"


def test_a_score_lifts_to_mql_at_most(store):
    """A lead proposed as SQL becomes an MQL, with its history and one message."""
    listen(store)
    (recorded,) = store.record_decisions([decision("L1", 0.9)])
    assert (recorded.previous_stage, recorded.stage) == (Stage.COLD, Stage.MQL)
    lead = store.lead("L1")
    assert (lead["stage"], lead["proposed_stage"], lead["probability"]) == ("mql", "sql", 0.9)
    (message,) = store.messages()
    assert message["type"] == "lead.became_mql"
    assert message["payload"]["data"]["previous_stage"] == "cold"


def test_a_lead_without_an_id_leaves_only_its_decision(store):
    """A nameless lead is decided upon, but there is no lead to remember."""
    (recorded,) = store.record_decisions([decision(None, 0.2)])
    assert recorded.stage is Stage.MQL
    counts = store.counts()
    assert (counts["decisions"], counts["leads"], counts["outbox"]) == (1, 0, 0)


def test_one_batch_may_hold_a_lead_twice(store):
    """Decisions on the same lead in one batch follow each other."""
    found = store.record_decisions([decision("L1", 0.2), decision("L1", 0.01, day=1)])
    assert [one.stage for one in found] == [Stage.MQL, Stage.COLD]
    assert store.lead("L1")["stage"] == "cold"
    assert store.counts()["stages"] == 2


def test_a_late_decision_does_not_overwrite_a_newer_one(store):
    """The latest score is the one made last, whenever it arrives."""
    store.record_decisions([decision("L1", 0.2, day=2, inputs={"n": 2})])
    store.record_decisions([decision("L1", 0.01, day=1, inputs={"n": 1})])
    lead = store.lead("L1")
    assert (lead["probability"], lead["attributes"], lead["stage"]) == (0.2, {"n": 2}, "mql")
    assert lead["first_seen"] == "2026-03-03T09:00:00Z"


def test_the_life_of_a_lead(store):
    """Scored cold, then MQL, accepted, qualified and won, told in order."""
    listen(store)
    store.record_decisions([decision("L1", 0.02)])
    store.record_decisions([decision("L1", 0.2, day=1)])
    found = store.record_reports(
        [report("accepted", 2, by="sales"), report("opportunity", 3), report("won", 9)]
    )
    assert [one.stage for one in found] == [Stage.SAL, Stage.SQL, Stage.CUSTOMER]
    told = [(event["event"], event["stage"]) for event in store.history("L1")]
    assert told == [
        ("scored", "cold"),
        ("scored", "mql"),
        ("accepted", "sal"),
        ("opportunity", "sql"),
        ("won", "customer"),
    ]
    kinds = [message["type"].removeprefix("lead.") for message in store.messages()]
    assert kinds == [
        "became_mql",
        *("outcome", "became_sal"),
        *("outcome", "became_sql"),
        *("outcome", "became_customer"),
    ]


def test_a_repeated_report_counts_once(store):
    """The same report a second time changes nothing and says so."""
    first, second = store.record_reports([report("accepted", 1), report("accepted", 1)])
    (third,) = store.record_reports([report("accepted", 1, reason="again")])
    assert [one.duplicate for one in (first, second, third)] == [False, True, True]
    assert store.counts()["outcomes"] == 1


def test_a_late_report_takes_its_place_in_time(store):
    """A rejection told after a later acceptance does not undo it."""
    store.record_reports([report("accepted", 5)])
    (late,) = store.record_reports([report("rejected", 3)])
    assert late.stage is Stage.SAL
    assert [event["stage"] for event in store.history("L1")] == ["nurture", "sal"]


def test_a_closed_step_is_refused_and_spoils_no_other(store):
    """A customer cannot be lost; the reports beside it count."""
    store.record_reports([report("won", 1)])
    good, bad = store.record_reports([report("accepted", 1, "L2"), report("lost", 2)])
    assert good.stage is Stage.SAL
    assert isinstance(bad.error, StepNotOpen)
    assert "open steps: won" in bad.error.detail
    assert bad.stage is Stage.CUSTOMER
    assert store.counts()["outcomes"] == 2


def test_a_rejection_needs_a_reason_and_the_past(store):
    """Reports from the future and rejections without a reason are refused."""
    found = store.record_reports(
        [report("rejected", 1, reason=" "), report("accepted", 36500, "L2")]
    )
    assert [type(one.error) for one in found] == [ImpossibleValue, ImpossibleValue]
    assert store.counts()["leads"] == 0


def test_a_score_after_a_report_leaves_people_their_stage(store):
    """Whom sales accepted stays accepted, whatever the score says."""
    store.record_reports([report("accepted", 1)])
    (recorded,) = store.record_decisions([decision("L1", 0.001, day=2)])
    assert recorded.stage is Stage.SAL


def test_withdrawn_consent_takes_a_lead_out_of_the_queue(store):
    """Without consent a lead is scored, but neither lifted to MQL nor put into the queue."""
    store.record_decisions(
        [
            decision("L1", 0.2, contact_consent=True),
            decision("L2", 0.2, contact_consent=False),
            decision("L3", 0.3, contact_consent=True),
            decision("L4", 0.4),
        ]
    )
    assert [lead["lead_id"] for lead in store.queue()] == ["L3", "L1"]
    assert store.lead("L2")["stage"] == "nurture"
    at = START + timedelta(days=1)
    assert store.set_consent("L3", objection=True, by="crm", at=at) is Stage.NURTURE
    assert [lead["lead_id"] for lead in store.queue()] == ["L1"]
    (again,) = store.record_decisions([decision("L3", 0.9, day=2)])
    assert again.stage is Stage.NURTURE


def test_the_queue_is_paged_without_gaps(store):
    """Pages of the queue hold every lead once, likeliest first, ties by id."""
    chances = {f"L{n:02d}": (0.1, 0.2, 0.2, 0.3)[n % 4] for n in range(23)}
    store.record_decisions([decision(k, p, contact_consent=True) for k, p in chances.items()])
    seen, after = [], None
    while page := store.queue(5, after):
        seen += [(lead["probability"], lead["lead_id"]) for lead in page]
        after = seen[-1]
    assert seen == sorted(((p, k) for k, p in chances.items()), key=lambda x: (-x[0], x[1]))


def test_an_export_tells_all_and_is_noted(store):
    """An access request gets every row; the audit log notes it without naming the lead."""
    listen(store)
    store.record_decisions([decision("anna@example.com", 0.2)])
    store.set_consent("anna@example.com", contact_consent=True, by="crm", at=START)
    store.record_reports([report("accepted", 1, "anna@example.com", details={"budget": True})])
    found = store.export("anna@example.com", by="dpo")
    sizes = {name: len(rows) for name, rows in found.items() if name != "lead"}
    assert sizes == {
        "decisions": 1,
        "outcomes": 1,
        "events": 0,
        "consents": 1,
        "changes": 2,
        "messages": 3,
        "deliveries": 0,
    }
    assert found["outcomes"][0]["details"] == {"budget": True}
    assert [e["action"] for e in store.audit_log()] == [
        "webhook.add",
        "lead.consent",
        "lead.export",
    ]
    assert "anna" not in str(store.audit_log())
    with pytest.raises(NotFound):
        store.export("nobody", by="dpo")


def test_an_erased_lead_stays_erased(store):
    """After erasure nothing is known of a lead, and nothing is recorded again."""
    store.record_decisions([decision("L1", 0.2), decision("L2", 0.2)])
    store.record_reports([report("accepted", 1)])
    erasure = store.erase("L1", by="dpo")
    assert erasure.scrubbed
    assert erasure.rows["decisions"] == 1
    assert store.lead("L1") is None
    assert store.history("L1") == []
    again, other = store.record_decisions([decision("L1", 0.2), decision("L2", 0.2, day=1)])
    assert (again.kept, other.kept) == (False, True)
    (refused,) = store.record_reports([report("won", 2)])
    assert isinstance(refused.error, LeadErased)
    with pytest.raises(LeadErased):
        store.set_consent("L1", contact_consent=True, by="crm")
    counts = store.counts()
    assert (counts["leads"], counts["decisions"], counts["tombstones"]) == (1, 2, 1)
    assert store.erase("L1", by="dpo").rows["leads"] == 0


def test_messages_wait_until_they_are_settled(store):
    """A message handed on is not told again."""
    listen(store)
    store.record_decisions([decision("L1", 0.2), decision("L2", 0.2)])
    first, second = store.messages()
    assert store.settle_messages([first["seq"]]) == 1
    assert store.settle_messages([first["seq"]]) == 0
    assert [message["seq"] for message in store.messages()] == [second["seq"]]


def test_policies_count_up_with_author_and_reason(store):
    """Each change of the lines is a version; a change based on an old one is refused."""
    assert store.policy() is None
    one = store.put_policy({"mql": 0.1, "sql": 0.3}, author="anna", note="first")
    two = store.put_policy({"mql": 0.2, "sql": 0.3}, author="ben", note="fewer", after=1)
    assert (one.version, two.version, two.policy["version"]) == (1, 2, "2")
    assert store.policy() == two
    assert [version.author for version in store.policies()] == ["ben", "anna"]
    with pytest.raises(StepNotOpen):
        store.put_policy({"mql": 0.3}, author="eve", note="", after=1)


def test_a_store_says_whether_it_can_be_used(store):
    """A migrated store is ready; one without tables names what to do."""
    store.check()
    store.migrate("base")
    with pytest.raises(StoreError) as caught:
        store.check()
    assert "migrate" in caught.value.fix
    with pytest.raises(StoreError):
        store.record_decisions([decision()])
    store.migrate()
    store.record_decisions([decision()])


@pytest.mark.parametrize(
    "url", ["", "leads.db", "mysql://host/x", "sqlite://", "sqlite:///:memory:"]
)
def test_unusable_urls_are_refused(url):
    """Only a file of SQLite or a PostgreSQL can hold a memory."""
    with pytest.raises(ConfigError):
        Store(url)
