"""leadml.store.deliveries and endpoints: who is owed what."""

import itertools
import time
from datetime import timedelta

import pytest
from stored import START, decision, listen

from leadml.errors import DeliveryUnknown, InvalidField, WebhookUnknown
from leadml.leads import Outcome
from leadml.store import Report, Store
from leadml.store.announcing import EVENTS, USUAL_EVENTS, change_of_stage
from leadml.store.deliveries import Attempt
from leadml.store.records import now, us_of

URL = "https://crm.example/hook"


def add(store, **more):
    """A webhook; its id."""
    return store.outgoing.add(**({"url": URL, "by": "test"} | more))[1].endpoint_id


def claim(store, endpoint_id, limit=100, lease_s=60.0):
    """What is due for an endpoint, leased."""
    return store.outgoing.claim(endpoint_id, limit=limit, lease_s=lease_s)


def attempt(leased, state="delivered", after_s=0.0, **more):
    """What came of sending."""
    at_us = us_of(now())
    return Attempt(leased, at_us, state, at_us + int(1e6 * after_s), **more)


def test_each_message_gets_one_row_for_each_endpoint_that_wants_it(store):
    """Sorting takes messages out of the outbox once, by events and by age of the endpoint."""
    store.record_decisions([decision("early", 0.2)])
    both, some = add(store), add(store, events=["lead.outcome"])
    store.record_decisions([decision("L1", 0.2)])
    store.record_reports([Report("L1", Outcome.ACCEPTED)])
    assert store.outgoing.fan_out() == 3
    assert store.outgoing.fan_out() == 0
    assert store.messages() == []
    kinds = [row["type"] for row in reversed(store.outgoing.listed(both))]
    assert kinds == ["lead.became_mql", "lead.outcome"]
    assert [row["type"] for row in store.outgoing.listed(some)] == ["lead.outcome"]


def test_of_a_lead_only_the_first_message_is_given_out(store):
    """The later message of a lead waits until the earlier one is settled."""
    hook = add(store)
    store.record_decisions([decision("L1", 0.2), decision("L2", 0.2)])
    store.record_reports([Report("L1", Outcome.OPPORTUNITY)])
    store.outgoing.fan_out()
    first = claim(store, hook)
    assert [one.lead_id for one in first] == ["L1", "L2"]
    assert claim(store, hook) == []
    store.outgoing.settle([attempt(one) for one in first])
    (second,) = claim(store, hook)
    assert (second.lead_id, second.type) == ("L1", "lead.outcome")
    store.outgoing.settle([attempt(second, "waiting", 60)])
    assert claim(store, hook) == []
    unsorted, due = store.outgoing.next_due()
    assert not unsorted
    assert due[hook] > us_of(now()) + 50_000_000


def test_a_message_that_was_given_up_lets_the_next_pass(store):
    """A dead letter holds back no later message of its lead."""
    hook = add(store)
    store.record_decisions([decision("L1", 0.2)])
    store.record_reports([Report("L1", Outcome.OPPORTUNITY)])
    store.outgoing.fan_out()
    (first,) = claim(store, hook)
    store.outgoing.settle([attempt(first, "dead", status=500, error="broken")])
    (second,) = claim(store, hook)
    assert second.type == "lead.outcome"
    assert store.outgoing.standing().dead == 1


def test_a_lease_that_ended_goes_to_another_worker(store):
    """What a lost worker held is given out again; the lost one can settle nothing any more."""
    hook = add(store)
    store.record_decisions([decision("L1", 0.2)])
    store.outgoing.fan_out()
    (lost,) = claim(store, hook, lease_s=0.05)
    time.sleep(0.1)
    (found,) = claim(store, hook)
    assert found.message_id == lost.message_id
    assert store.outgoing.settle([attempt(lost)]) == 0
    assert store.outgoing.settle([attempt(found)]) == 1
    assert store.outgoing.standing().waiting == 0


def test_two_workers_never_hold_the_same(database_url):
    """Stores that claim in turn share the rows between them."""
    stores = [Store(database_url, wait_s=10) for _ in range(2)]
    hook = add(stores[0])
    stores[0].record_decisions([decision(f"L{n}", 0.2) for n in range(20)])
    stores[1].outgoing.fan_out()
    held = [
        leased.delivery_id
        for store in itertools.islice(itertools.cycle(stores), 10)
        for leased in claim(store, hook, limit=3)
    ]
    assert len(held) == len(set(held)) == 20
    for store in stores:
        store.close()


def test_attempts_are_noted(store):
    """Each attempt stands in the log; one that was never made leaves only its error."""
    hook = add(store)
    store.record_decisions([decision("L1", 0.2)])
    store.outgoing.fan_out()
    for n in range(3):
        (leased,) = claim(store, hook)
        made = n != 1
        attempts = [attempt(leased, "waiting", status=500, error=f"no {n}", counts=made)]
        store.outgoing.settle(attempts)
    (row,) = store.outgoing.listed(hook)
    assert (row["attempts"], row["state"], row["last_error"]) == (2, "waiting", "no 2")
    assert [line["error"] for line in row["log"]] == ["no 0", "no 2"]


def test_nothing_is_due_for_the_disabled_and_the_paused(store):
    """A disabled endpoint gets nothing; a paused one not before its time."""
    off, paused = add(store), add(store)
    store.record_decisions([decision("L1", 0.2)])
    store.outgoing.fan_out()
    store.outgoing.change(off, {"state": "disabled", "state_reason": "gone"}, by="test")
    until_us = us_of(now()) + 60_000_000
    store.outgoing.pause(paused, until_us)
    assert store.outgoing.next_due() == (False, {paused: until_us})
    assert store.outgoing.endpoint(off).state_reason == "gone"
    store.outgoing.change(off, {"state": "active"}, by="test")
    assert store.outgoing.next_due()[1].keys() == {off, paused}


def test_a_replay_sends_one_or_all_that_were_given_up(store):
    """Dead letters come back with a fresh count; others only by their name."""
    hook = add(store)
    store.record_decisions([decision(f"L{n}", 0.2) for n in range(3)])
    store.outgoing.fan_out()
    a, b, c = claim(store, hook)
    store.outgoing.settle([attempt(a, "dead"), attempt(b, "dead"), attempt(c)])
    assert store.outgoing.replay(hook, by="test") == 2
    assert store.outgoing.replay(hook, c.delivery_id, by="test") == 1
    assert {one.attempts for one in claim(store, hook)} == {0}
    with pytest.raises(DeliveryUnknown):
        store.outgoing.replay(hook, "dlv_none", by="test")
    with pytest.raises(WebhookUnknown):
        store.outgoing.replay("whk_none", by="test")


def test_the_standing_tells_how_old_the_oldest_is(store):
    """Unsorted and waiting messages count, and so does their age."""
    assert store.outgoing.standing().as_dict() == {
        "waiting": 0,
        "dead": 0,
        "unsorted": 0,
        "oldest_s": 0.0,
    }
    add(store)
    store.record_decisions([decision("L1", 0.2)])
    time.sleep(0.05)
    found = store.outgoing.standing()
    assert (found.unsorted, found.waiting) == (1, 0)
    assert 0.05 <= found.oldest_s < 5
    store.outgoing.fan_out()
    assert store.outgoing.standing().waiting == 1


def test_what_is_finished_is_forgotten_after_its_time(store):
    """Old deliveries and messages go; what waits and its message stay."""
    hook = add(store)
    store.record_decisions([decision("L1", 0.2), decision("L2", 0.2)])
    store.outgoing.fan_out()
    first, _ = claim(store, hook)
    store.outgoing.settle([attempt(first)])
    assert store.outgoing.forget_old(days=1) == 0
    assert store.outgoing.forget_old(days=-1) == 2
    (left,) = store.outgoing.listed(hook)
    assert left["lead_id"] == "L2"
    assert store.counts()["outbox"] == 1


def test_an_erased_lead_is_owed_nothing(store):
    """Erasure takes deliveries too, also while a worker holds one."""
    hook = add(store)
    store.record_decisions([decision("L1", 0.2)])
    store.outgoing.fan_out()
    (held,) = claim(store, hook)
    assert store.erase("L1", by="dpo").rows["deliveries"] == 1
    assert store.outgoing.settle([attempt(held, "waiting")]) == 0
    assert claim(store, hook) == []


def test_a_worker_is_woken_by_messages_only(store):
    """Commits that wrote a message wake, others do not; nor does what nobody is to be told."""
    woken = []
    store.on_messages(lambda: woken.append(1))
    store.record_decisions([decision("unheard", 0.2)])
    listen(store)
    assert woken == []
    store.record_decisions([decision("L1", 0.2)])
    assert len(woken) == 1
    store.record_decisions([decision("L1", 0.2, day=1)])
    store.note_action("a", "b", "c", {})
    assert len(woken) == 1
    store.record_reports([Report("L1", Outcome.ACCEPTED, START + timedelta(days=2))])
    assert len(woken) == 2


def test_endpoints_are_audited_and_keep_their_secrets(store):
    """Who made, changed and removed an endpoint is noted, without secret or address."""
    secret, made = store.outgoing.add(url=URL, credential="t0ken", by="anna")
    hook = made.endpoint_id
    store.outgoing.rotate(hook, by="anna")
    store.outgoing.change(hook, {"note": "x"}, by="ben")
    assert store.outgoing.remove(hook, by="ben") == 0
    log = [(entry["actor"], entry["action"]) for entry in store.audit_log()]
    assert log == [
        ("anna", "webhook.add"),
        ("anna", "webhook.rotate"),
        ("ben", "webhook.change"),
        ("ben", "webhook.remove"),
    ]
    told = str(store.audit_log()) + str(made.as_dict()) + repr(made)
    assert secret not in told
    assert "t0ken" not in told
    with pytest.raises(WebhookUnknown):
        store.outgoing.endpoint(hook)


def test_secrets_overlap_while_they_are_rotated(store):
    """Two secrets are active until the overlap ends, newest first; never three."""
    first, made = store.outgoing.add(url=URL, by="test")
    second, _ = store.outgoing.rotate(made.endpoint_id, by="test")
    third, rotated = store.outgoing.rotate(made.endpoint_id, overlap_s=0.1, by="test")
    assert rotated.secrets == (third, second)
    assert first not in rotated.secrets
    time.sleep(0.15)
    assert store.outgoing.endpoint(made.endpoint_id).secrets == (third,)


@pytest.mark.parametrize("events", [[], ["lead.sold"], ["lead.dropped", "x"]])
def test_events_that_do_not_exist_are_refused(store, events):
    """An endpoint asks for events that are written."""
    with pytest.raises(InvalidField):
        add(store, events=events)


def test_every_change_of_stage_has_an_event():
    """Whatever stage a lead comes from or goes to, the message has a known type."""
    from leadml.leads import Stage

    for previous, stage in itertools.permutations(Stage, 2):
        assert change_of_stage(previous, stage) in EVENTS
    assert set(USUAL_EVENTS) < set(EVENTS)


def test_a_model_is_announced_once(store):
    """However many processes notice a new model, receivers are told once, with the old one."""
    listen(store)
    assert store.outgoing.announce_model("leads@7", {})
    assert not store.outgoing.announce_model("leads@7", {})
    assert store.outgoing.announce_model("leads@8", {"policy_version": "2"})
    told = [message["payload"]["data"] for message in store.messages()]
    assert told == [
        {"model_version": "leads@7"},
        {
            "model_version": "leads@8",
            "policy_version": "2",
            "previous_model_version": "leads@7",
        },
    ]
