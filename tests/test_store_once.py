"""leadml.store.once: requests that count once."""

import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa
from stored import START, decision

from leadml.errors import IdempotencyKeyReused, LeadErased, RequestInFlight
from leadml.leads import Outcome
from leadml.store import Once, Report, Store, tables
from leadml.store.once import KEPT_HOURS, LEASE_S


def once(key: str = "k", digest: str = "d", **more) -> Once:
    """A request under a key."""
    return Once(key, "POST /v1/outcomes", digest, **more)


def do(store: Store, request: Once, lead_id: str) -> tuple[int, str]:
    """Report a win once, as a route would; returns status and answer."""
    claimed = store.claim(request)
    if claimed.status is not None:
        return claimed.status, claimed.answer
    reports = [Report(lead_id, Outcome.OPPORTUNITY), Report(lead_id, Outcome.WON)]
    made = {}

    def answer(results):
        made["is"] = (200, f'{{"lead_id":"{lead_id}","stage":"{results[-1].stage}"}}')
        return made["is"]

    store.record_reports(reports, claimed=claimed, answer=answer)
    return made["is"]


def age(store: Store, seconds: float) -> None:
    """Make every claim so much older."""

    def effect(connection):
        c = tables.idempotency.c
        older = c.claimed_us - int(seconds * 1e6)
        connection.execute(sa.update(tables.idempotency).values(claimed_us=older))

    store._write(effect)


def test_a_repeat_gets_the_same_answer(store):
    """The second time nothing happens and the first answer is given again."""
    first = do(store, once(), "L1")
    assert do(store, once(), "L1") == first == (200, '{"lead_id":"L1","stage":"customer"}')
    assert store.counts()["outcomes"] == 2


def test_another_body_under_a_key_is_refused(store):
    """A key belongs to one body, per caller and route."""
    do(store, once(), "L1")
    with pytest.raises(IdempotencyKeyReused) as caught:
        do(store, once(digest="other"), "L2")
    assert caught.value.status == 422
    do(store, once(digest="other", caller="somebody else"), "L2")


def test_a_request_in_flight_is_refused(store):
    """While the first one works, a repeat is told to come back."""
    store.claim(once())
    with pytest.raises(RequestInFlight) as caught:
        store.claim(once())
    assert caught.value.status == 409


def test_a_failed_request_may_be_repeated(store):
    """A claim given up leaves the key free, and a settled one cannot be given up."""
    store.release(store.claim(once()))
    claimed = store.claim(once())
    store.settle(claimed, 200, "{}")
    store.release(claimed)
    assert store.claim(once()).answer == "{}"


def test_a_dead_claim_is_taken_over_and_cannot_settle(store):
    """After the lease another takes over; the first one's effect is undone when it wakes."""
    sleeper = store.claim(once())
    age(store, LEASE_S + 1)
    assert do(store, once(), "L1")[0] == 200
    with pytest.raises(RequestInFlight):
        store.record_reports(
            [Report("L2", Outcome.WON)], claimed=sleeper, answer=lambda _: (200, "{}")
        )
    assert store.lead("L2") is None


def test_an_erased_lead_leaves_no_answer(store):
    """The kept answer of a request that told of an erased lead is gone with it."""
    do(store, once(), "L1")
    do(store, once("other"), "L11")
    store.erase("L1", by="dpo")
    with pytest.raises(LeadErased):
        do(store, once(), "L1")
    assert do(store, once("other"), "L11")[0] == 200


def test_old_answers_are_forgotten(store):
    """Answers are kept for a day."""
    do(store, once(), "L1")
    assert store.forget_old_requests() == 0
    age(store, KEPT_HOURS * 3600 + 1)
    assert store.forget_old_requests() == 1


@pytest.mark.parametrize("n_keys", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_parallel_retries_have_one_effect(database_url, n_keys):
    """Keys that ten threads on two stores send at once count once each, with one answer."""
    stores = [Store(database_url, wait_s=5.0) for _ in range(2)]
    answers: dict[str, list[tuple[int, str]]] = {f"key{n}": [] for n in range(n_keys)}
    surprises = []

    def send(place: int) -> None:
        store = stores[place % 2]
        for key, seen in answers.items():
            while True:
                try:
                    seen.append(do(store, once(key), f"lead-{key}"))
                    break
                except RequestInFlight:
                    time.sleep(0.02)
                except Exception as error:  # noqa: BLE001 - shown by the assertion below
                    surprises.append(error)
                    return

    threads = [threading.Thread(target=send, args=(place,)) for place in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not surprises
    assert all(len(seen) == 10 and len(set(seen)) == 1 for seen in answers.values())
    assert stores[0].counts()["outcomes"] == 2 * n_keys
    for store in stores:
        store.close()


def test_a_decision_counts_once_too(store):
    """A score under a key is recorded with its answer in one transaction."""
    claimed = store.claim(once())
    store.record_decisions(
        [decision("L1", 0.2, at=START + timedelta(days=1))],
        claimed=claimed,
        answer=lambda results: (200, results[0].decision_id),
    )
    assert store.decision(store.claim(once()).answer)["lead_id"] == "L1"
