"""leadml.service.delivering: messages reach real receivers."""

import random
import statistics
import threading
import time
from contextlib import contextmanager

import pytest
from receiver import Answer, receiver
from stored import decision

from leadml.errors import StoreUnavailable
from leadml.leads import Outcome
from leadml.service.delivering import Deliverer
from leadml.store import Report, Store
from leadml.webhooks import Guard, Schedule
from leadml.webhooks.wire import Wire

QUICK = Schedule((0.0, *[0.02] * 40), random.Random(1))


@pytest.fixture
def lone(tmp_path):
    """A memory on SQLite, where the kind of database makes no difference."""
    made = Store(f"sqlite:///{tmp_path / 'lone.db'}")
    made.migrate()
    yield made
    made.close()


@contextmanager
def delivering(store, *, schedule=QUICK, timeout_s=0.5, **more):
    """A worker on a store that may call this machine."""
    wire = Wire(Guard(["127.0.0.1"]), timeout_s=timeout_s)
    worker = Deliverer(lambda: store, wire, schedule=schedule, poll_s=0.1, **more)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()
        wire.close()


def until(holds, seconds=10.0):
    """Wait until something holds; whether it does."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def settled(store):
    """Whether nothing waits any more."""
    now = store.outgoing.standing()
    return now.waiting == now.unsorted == 0


def test_a_crossing_arrives_at_once_and_verifies(store):
    """A lead that becomes MQL reaches a real receiver within a second, verifiably."""
    with receiver() as there, delivering(store):
        secret, _ = store.outgoing.add(url=there.url + "/hook", by="test")
        took = []
        for n in range(5):
            start = time.time()
            store.record_decisions(
                [decision(f"L{n}", 0.2, reasons=[{"field": "visits", "text": "3 visits"}])]
            )
            assert there.wait(lambda n=n: len(there.calls) > n)
            took.append(there.calls[-1].at - start)
        assert statistics.median(took) <= 1.0
        told = there.calls[-1].verified(secret)
        assert told["type"] == "lead.became_mql"
        assert told["data"].pop("sequence") > 0
        assert told["data"] == {
            "lead_id": "L4",
            "stage": "mql",
            "previous_stage": "cold",
            "probability": 0.2,
            "score": 50,
            "reasons": [{"field": "visits", "text": "3 visits"}],
            "grade": "D",
            "model_version": "leads@7",
            "policy_version": "1",
        }
        assert until(lambda: settled(store))


def test_only_what_is_asked_for_is_sent(store):
    """Events are filtered per endpoint, and fields of the lead stand only where named."""
    with receiver() as there, delivering(store):
        store.outgoing.add(
            url=there.url + "/outcomes",
            events=["lead.outcome"],
            lead_fields=["industry", "no such field"],
            by="test",
        )
        store.outgoing.add(url=there.url + "/mql", events=["lead.became_mql"], by="test")
        store.record_decisions([decision("L1", 0.2)])
        store.record_reports([Report("L1", Outcome.ACCEPTED)])
        assert there.wait(lambda: len(there.calls) == 2)
        assert until(lambda: settled(store))
        told = {call.path: call.json for call in there.calls}
        assert told["/outcomes"]["type"] == "lead.outcome"
        assert told["/outcomes"]["data"]["lead"] == {"industry": "Healthcare"}
        assert told["/mql"]["type"] == "lead.became_mql"
        assert "lead" not in told["/mql"]["data"]


def test_messages_of_one_lead_keep_their_order(store):
    """While the first message of a lead fails, the later ones wait; other leads do not."""
    failing = {"L1": 3}

    def behave(call):
        lead_id = call.json["data"]["lead_id"]
        failing[lead_id] = failing.get(lead_id, 0) - 1
        return Answer(500 if failing[lead_id] >= 0 else 200)

    with receiver(behave) as there, delivering(store):
        store.outgoing.add(url=there.url, by="test")
        store.record_decisions([decision("L1", 0.2), decision("L2", 0.2)])
        store.record_reports([Report("L1", Outcome.OPPORTUNITY)])
        assert until(lambda: settled(store))
        kinds = [call.json["type"] for call in there.calls if call.json["data"]["lead_id"] == "L1"]
        assert kinds == [*["lead.became_mql"] * 4, "lead.outcome", "lead.became_sql"]
        sequences = [
            call.json["data"]["sequence"]
            for call in there.taken
            if call.json["data"]["lead_id"] == "L1"
        ]
        assert sequences == sorted(sequences)
        assert there.taken[0].json["data"]["lead_id"] == "L2"


def test_a_receiver_that_is_gone_is_disabled_and_loses_nothing(store):
    """410 disables an endpoint; what happens meanwhile is sent once it is active again."""
    answers = [Answer(410)]
    with (
        receiver(lambda call: answers.pop() if answers else Answer()) as there,
        delivering(store),
    ):
        _, made = store.outgoing.add(url=there.url, by="test")
        store.record_decisions([decision("L1", 0.2)])
        assert until(lambda: store.outgoing.endpoint(made.endpoint_id).state == "disabled")
        store.record_decisions([decision("L2", 0.2)])
        time.sleep(0.3)
        assert len(there.calls) == 1
        assert "410" in store.outgoing.endpoint(made.endpoint_id).state_reason
        store.outgoing.change(made.endpoint_id, {"state": "active"}, by="test")
        assert until(lambda: settled(store))
        assert sorted(call.json["data"]["lead_id"] for call in there.taken) == ["L1", "L2"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_that_asks_for_patience_gets_it(lone, status):
    """After Retry-After: 1 nothing is sent to that endpoint for a second."""
    answers = [Answer(status, {"retry-after": "1"})]
    with (
        receiver(lambda call: answers.pop() if answers else Answer()) as there,
        delivering(lone),
    ):
        lone.outgoing.add(url=there.url, by="test")
        lone.record_decisions([decision("L1", 0.2)])
        assert there.wait(lambda: len(there.calls) == 1)
        time.sleep(0.2)
        lone.record_decisions([decision("L2", 0.2)])
        assert until(lambda: settled(lone))
        first, *later = there.calls
        assert len(later) == 2
        assert min(call.at for call in later) - first.at >= 0.99


def test_what_fails_to_the_end_is_kept_and_sent_by_hand(store):
    """After the schedule a message is a dead letter with its log; a replay sends it again."""
    broken = [True]
    with (
        receiver(lambda call: Answer(500 if broken[0] else 200)) as there,
        delivering(store, schedule=Schedule((0.0, 0.01, 0.01))),
    ):
        _, made = store.outgoing.add(url=there.url, by="test")
        store.record_decisions([decision("L1", 0.2)])
        assert until(lambda: store.outgoing.standing().dead == 1)
        (dead,) = store.outgoing.listed(made.endpoint_id, state="dead")
        assert (dead["attempts"], dead["last_status"]) == (3, 500)
        assert [line["status"] for line in dead["log"]] == [500, 500, 500]
        broken[0] = False
        assert store.outgoing.replay(made.endpoint_id, by="test") == 1
        assert until(lambda: store.outgoing.standing().dead == 0 and settled(store))
        assert len({call.message_id for call in there.calls}) == 1


@pytest.mark.parametrize("fault", ["reset", "hang", "drip", "redirect", "garbage"])
def test_whatever_a_receiver_does_is_survived(lone, fault):
    """Resets, silence, dripping answers and redirects end in time and are tried again."""
    answers = {
        "reset": Answer(fault="reset"),
        "hang": Answer(fault="hang", seconds=2.0),
        "drip": Answer(fault="drip", body=b"x" * 200),
        "redirect": Answer(302, {"location": "http://127.0.0.1:1/inside"}),
        "garbage": Answer(200, {"content-encoding": "gzip"}, b"no gzip"),
    }
    left = [answers[fault]]
    with (
        receiver(lambda call: left.pop() if left else Answer()) as there,
        delivering(lone, timeout_s=0.3),
    ):
        lone.outgoing.add(url=there.url, by="test")
        lone.record_decisions([decision("L1", 0.2)])
        assert until(lambda: settled(lone), 5)
        assert len(there.calls) == (1 if fault == "garbage" else 2)
        assert len({call.message_id for call in there.calls}) == 1


def test_a_slow_receiver_holds_up_no_other(lone):
    """While one endpoint hangs, messages reach the other at once."""

    def behave(call):
        return Answer(fault="hang", seconds=3.0) if call.path == "/slow" else Answer()

    with receiver(behave) as there, delivering(lone, timeout_s=3.0):
        lone.outgoing.add(url=there.url + "/slow", by="test")
        lone.outgoing.add(url=there.url + "/quick", by="test")
        start = time.time()
        lone.record_decisions([decision(f"L{n}", 0.2) for n in range(20)])
        quick = lambda: [call for call in there.calls if call.path == "/quick"]  # noqa: E731
        assert there.wait(lambda: len(quick()) == 20, 5)
        assert max(call.at for call in quick()) - start < 2.5


def test_many_receivers_that_hang_hold_up_no_other(lone):
    """While a dozen endpoints never answer, a crossing still reaches the sound one at once."""

    def behave(call):
        return Answer() if call.path == "/sound" else Answer(fault="hang", seconds=5.0)

    with receiver(behave) as there, delivering(lone, timeout_s=3.0):
        for n in range(12):
            lone.outgoing.add(url=f"{there.url}/hang/{n}", by="test")
        lone.record_decisions([decision(f"a{n}", 0.2) for n in range(4)])
        assert there.wait(lambda: len({call.path for call in there.calls}) == 12, 15)
        time.sleep(0.2)
        lone.outgoing.add(url=there.url + "/sound", by="test")
        start = time.time()
        lone.record_decisions([decision("L1", 0.2)])
        assert there.wait(lambda: any(call.path == "/sound" for call in there.calls), 10)
        assert time.time() - start < 2.5


def test_a_database_that_comes_back_is_noticed(lone):
    """While the memory cannot be asked nothing is sent; once it can, everything is."""
    away = threading.Event()
    away.set()

    def require():
        if away.is_set():
            raise StoreUnavailable("away")
        return lone

    wire = Wire(Guard(["127.0.0.1"]), timeout_s=1)
    worker = Deliverer(require, wire, schedule=QUICK, poll_s=0.1)
    with receiver() as there:
        lone.outgoing.add(url=there.url, by="test")
        lone.record_decisions([decision("L1", 0.2)])
        worker.start()
        time.sleep(0.5)
        assert there.calls == []
        away.clear()
        start = time.monotonic()
        assert there.wait(lambda: len(there.calls) == 1)
        assert time.monotonic() - start < 5
        worker.stop()


def test_a_worker_that_stops_gives_back_what_it_did_not_send(lone):
    """What was leased but not sent is there for the next worker at once."""
    with receiver(lambda call: Answer(seconds=0.3)) as there:
        lone.outgoing.add(url=there.url, by="test")
        lone.record_decisions([decision(f"L{n}", 0.2) for n in range(60)])
        with delivering(lone, timeout_s=5):
            assert there.wait(lambda: len(there.calls) >= 4)
        sent = len(there.calls)
        assert sent < 60
        there.behave = lambda call: Answer()
        with delivering(lone, timeout_s=5):
            assert until(lambda: settled(lone), 15)
        assert len({call.message_id for call in there.taken}) == 60


def test_a_lead_that_objects_is_told_of_no_more(store):
    """What still waits for a lead when it objects is withheld."""
    with receiver(lambda call: Answer(500)) as there:
        _, made = store.outgoing.add(url=there.url, by="test")
        store.record_decisions([decision("L1", 0.2)])
        store.outgoing.fan_out()
        store.set_consent("L1", objection=True, by="lead")
        with delivering(store):
            assert until(lambda: settled(store))
        assert there.calls == []
        (kept,) = store.outgoing.listed(made.endpoint_id)
        assert kept["state"] == "withheld"
