"""leadml.store.hindsight: first decisions and what followed, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from stored import START, decision, listen

from leadml.leads import Outcome
from leadml.store import Report, Store
from leadml.store.records import us_of

DAY = timedelta(days=1)
DAY_US = 86_400_000_000


def won(lead_id: str, day: float, outcome: Outcome = Outcome.WON) -> Report:
    """A report so many days after the start."""
    return Report(lead_id, outcome, START + day * DAY)


def followed(store: Store, first: float = 0, last: float = 30, as_of: float = 100):
    """What followed decisions of some days."""
    return store.followed(
        since=START + first * DAY, until=START + last * DAY, as_of=START + as_of * DAY
    )


def test_only_first_decisions_count(store: Store) -> None:
    """A lead counts once, by its first decision, if that fell into the span."""
    store.record_decisions(
        [
            decision("twice", 0.2, day=1),
            decision("twice", 0.6, day=5),
            decision("early", 0.3, day=-1),
            decision("early", 0.4, day=3),
            decision("late", 0.5, day=30),
            decision(None, 0.9, day=2),
        ]
    )
    found = followed(store)
    assert (found.probability, len(found)) == ([0.2], 1)
    assert found.at_us == [us_of(START + DAY)]
    assert (found.model_version, found.proposed_stage) == (["leads@7"], ["mql"])


def test_what_followed_is_known_as_of_then(store: Store) -> None:
    """The earliest conversion counts, a later present knows more, other outcomes are none."""
    store.record_decisions([decision("a", day=1), decision("b", day=2), decision("c", day=3)])
    store.record_reports(
        [won("a", 11), won("a", 21), won("b", 52), won("c", 4, Outcome.OPPORTUNITY)]
    )
    assert followed(store).delay_us == [10 * DAY_US, 50 * DAY_US, None]
    assert followed(store, as_of=40).delay_us == [10 * DAY_US, None, None]
    opened = store.followed(
        since=START, until=START + 9 * DAY, as_of=START + 99 * DAY, outcome=Outcome.OPPORTUNITY
    )
    assert opened.delay_us == [None, None, DAY_US]


def test_who_is_left_out(store: Store) -> None:
    """Leads that object, that had converted before, or that were brought in later."""
    store.record_decisions(
        [
            decision("fine", 0.11, day=1),
            decision("objects", 0.12, day=1),
            decision("had converted", 0.13, day=5),
            replace(decision("brought in", 0.14, day=1), imported=True),
            decision("brought in", 0.15, day=2),
        ]
    )
    store.record_reports([won("had converted", 4)])
    store.set_consent("objects", by="anna", objection=True, at=START + 2 * DAY)
    assert followed(store).probability == [0.11, 0.15]
    assert store.first_decision() == START + DAY


def test_proposals_are_those_of_scores(store: Store) -> None:
    """Leads lifted by a score count at that moment; people and a past brought in do not."""
    store.record_decisions(
        [
            decision("a", 0.2, day=1),
            decision("b", 0.01, day=1),
            decision("b", 0.2, day=2),
            replace(decision("c", 0.2, day=3), imported=True),
        ]
    )
    store.record_reports([won("d", 1, Outcome.ACCEPTED)])
    assert store.proposals(since=START, until=START + 9 * DAY) == [START + DAY, START + 2 * DAY]
    assert store.proposals(since=START, until=START + 2 * DAY) == [START + DAY]
    assert len(store.arrivals(since=START, until=START + 9 * DAY)) == 3


def test_newest_inputs_come_first(store: Store) -> None:
    """So many, not older than asked, none of a past brought in."""
    store.record_decisions(
        [decision(f"L{day}", day=day, inputs={"day": day}) for day in range(6)]
        + [replace(decision("x", day=5, inputs={"day": "x"}), imported=True)]
    )
    assert [found["day"] for found in store.newest_inputs(3, START)] == [5, 4, 3]
    assert [found["day"] for found in store.newest_inputs(9, START + 4 * DAY)] == [5, 4]


def test_a_flood_is_told_once_a_week(store: Store) -> None:
    """Whoever notices first tells it; an older week is not told after a newer one."""
    listen(store)
    assert store.tell_exceeded("2026-11-09", {"proposals": 70})
    assert not store.tell_exceeded("2026-11-09", {"proposals": 70})
    assert store.tell_exceeded("2026-11-16", {"proposals": 80})
    assert not store.tell_exceeded("2026-11-09", {"proposals": 70})
    told = [message["payload"] for message in store.messages()]
    assert [(one["type"], one["data"]["proposals"]) for one in told] == [
        ("capacity.exceeded", 70),
        ("capacity.exceeded", 80),
    ]


def test_decisions_are_read_page_by_page(store: Store) -> None:
    """Every decision once, in the order of time, also at equal moments; samples are random."""
    made = [decision(f"L{k}", day=k // 50) for k in range(2_300)]
    store.record_decisions(made)
    seen: list[str] = []
    after = None
    while page := store.decisions(after=after):
        seen += [record["decision_id"] for record in page]
        last = page[-1]
        after = (us_of(next(d.at for d in made if d.decision_id == seen[-1])), last["decision_id"])
    assert sorted(seen) == sorted(d.decision_id for d in made)
    assert len(seen) == len(set(seen))
    one, two = ({record["decision_id"] for record in store.decisions(sample=100)} for _ in range(2))
    assert len(one) == len(two) == 100
    assert one != two
    assert len(store.decisions(since=START + 45 * DAY)) == 50
    assert [r["lead_id"] for r in store.decisions(ids=[made[7].decision_id, "dec_x"])] == ["L7"]


def test_a_past_is_kept_once(store: Store) -> None:
    """The same lead at the same moment counts once, within a batch and across batches."""
    one = replace(decision("L1", day=1), imported=True)
    same = replace(decision("L1", day=1), imported=True)
    other = replace(decision("L1", day=2), imported=True)
    found, _ = store.record_history([one, same, other], [])
    assert [recorded is None for recorded in found] == [False, True, False]
    found, reported = store.record_history([same], [replace(won("L1", 3), imported=True)])
    assert found == [None]
    assert [result.error for result in reported] == [None]
    assert store.messages() == []
    assert store.counts()["decisions"] == 2


def test_first_change_keeps_what_held_before(store: Store) -> None:
    """The lines of the training become version 1; somebody who saw older lines is refused."""
    listen(store)
    made = store.put_policy(
        {"mql": 0.3}, author="anna", note="fewer", after=1, first={"mql": 0.2, "reason": "trained"}
    )
    assert made.version == 2
    assert [(v.version, v.author, v.policy["mql"]) for v in store.policies()] == [
        (2, "anna", 0.3),
        (1, "training", 0.2),
    ]
    [told] = store.messages()
    assert told["payload"]["data"]["previous_policy_version"] == "1"
