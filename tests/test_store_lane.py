"""leadml.store.lane."""

import threading
import time
from concurrent.futures import CancelledError

import pytest
from stored import decision

from leadml.errors import InvalidField, StoreUnavailable
from leadml.store import Store
from leadml.store.lane import Lane


def block(store: Store) -> tuple[threading.Event, threading.Event]:
    """Hold the lane with a transaction until the second event is set."""
    begun, go = threading.Event(), threading.Event()

    def effect(connection, items):
        begun.set()
        go.wait(5)
        return items

    store._writes.submit(effect, [None])
    begun.wait(5)
    return begun, go


def test_waiting_writes_share_one_commit(store):
    """Writes that wait while another commits become durable together."""
    _, go = block(store)
    futures = [store.submit_decisions([decision(f"L{n}", 0.2)]) for n in range(50)]
    before = store.n_commits
    go.set()
    found = [future.result(5)[0] for future in futures]
    assert store.n_commits - before == 2  # that of the blocking one, then one for all
    assert store.counts()["decisions"] == 50
    assert [store.decision(one.decision_id)["lead_id"] for one in found[:2]] == ["L0", "L1"]


def test_one_bad_write_spoils_no_other(store):
    """Of a shared transaction that fails, every part is tried by itself."""
    store.record_decisions([decision("L0", decision_id="dec_taken")])
    _, go = block(store)
    good = store.submit_decisions([decision("L1")])
    bad = store.submit_decisions([decision("L2", decision_id="dec_taken")])
    also = store.submit_decisions([decision("L3")])
    go.set()
    assert good.result(5)[0].kept
    assert also.result(5)[0].kept
    with pytest.raises(Exception, match=r"(?i)unique"):
        bad.result(5)
    assert store.counts()["decisions"] == 3
    assert store.lead("L2") is None


def test_an_error_of_the_work_reaches_only_its_caller(store):
    """What the work of one caller raises is raised there, and its writes are undone."""

    def refuse(connection, items):
        store._record_decisions(connection, [decision("undone")])
        raise InvalidField("no")

    _, go = block(store)
    good = store.submit_decisions([decision("L1")])
    bad = store._writes.submit(refuse, [None])
    go.set()
    with pytest.raises(InvalidField):
        bad.result(5)
    assert good.result(5)[0].kept
    assert store.lead("undone") is None


def test_a_write_given_up_before_it_began_is_never_made(database_url):
    """A caller told 503 while waiting finds nothing written later."""
    store = Store(database_url, wait_s=0.2)
    _, go = block(store)
    with pytest.raises(StoreUnavailable):
        store.record_decisions([decision("given up")])
    go.set()
    while store._writes._busy_since is not None:
        time.sleep(0.01)
    store.record_decisions([decision("after")])
    assert store.lead("given up") is None
    store.close()


def test_a_stuck_write_refuses_the_next_at_once(database_url):
    """Behind a transaction that hangs, callers are told without waiting."""
    store = Store(database_url, wait_s=0.4)
    _, go = block(store)
    time.sleep(1.1)
    start = time.monotonic()
    with pytest.raises(StoreUnavailable, match="stalled"):
        store.record_decisions([decision("L1")])
    assert time.monotonic() - start < 2
    go.set()
    store.close()


def test_closing_finishes_what_waits(database_url):
    """Writes taken before the close are durable; later ones are refused."""
    store = Store(database_url)
    futures = [store.submit_decisions([decision(f"L{n}")]) for n in range(20)]
    store.close()
    assert all(future.result(0)[0].kept for future in futures)
    with pytest.raises(StoreUnavailable):
        store.record_decisions([decision("late")])
    again = Store(database_url)
    assert again.counts()["decisions"] == 20
    again.close()


def test_a_cancelled_write_is_skipped(store):
    """A write whose future was cancelled in the queue is left out, its neighbours are not."""
    _, go = block(store)
    one = store.submit_decisions([decision("L1")])
    two = store.submit_decisions([decision("L2")])
    assert one.cancel()
    go.set()
    assert two.result(5)[0].kept
    with pytest.raises(CancelledError):
        one.result(0)
    assert store.lead("L1") is None


def test_each_of_many_threads_gets_its_own_results(store):
    """Many threads write at once; every one gets its own results in order."""
    wrong = []

    def work(name: int) -> None:
        for number in range(10):
            ids = [f"{name}-{number}-{part}" for part in range(3)]
            found = store.record_decisions([decision(i, decision_id=f"dec_{i}") for i in ids])
            if [one.decision_id for one in found] != [f"dec_{i}" for i in ids]:
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert store.counts()["decisions"] == 240


def test_a_lane_starts_no_thread_before_it_is_used():
    """Making a lane does nothing until something is submitted."""
    before = threading.active_count()
    lane = Lane(lambda: None, patience_s=1)
    assert threading.active_count() == before
    lane.close()


def test_a_write_is_handed_over_before_it_is_durable(store):
    """The sign that only the disk is left comes before the result, and after a failure too."""
    writing = store._writes.submit(lambda connection, items: items, [1])
    assert writing.handed_over.wait(5)
    assert writing.result(5) == [1]

    def broken(connection, items):
        raise InvalidField("no")

    failing = store._writes.submit(broken, [1])
    assert failing.handed_over.wait(5)
    with pytest.raises(InvalidField):
        failing.result(5)
