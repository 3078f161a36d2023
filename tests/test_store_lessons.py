"""leadml.store.lessons: the next training table."""

import uuid
from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored import START, decision

from leadml.datasets.write import write_table
from leadml.errors import ConfigError
from leadml.leads import Outcome, life
from leadml.service.exporting import config_for
from leadml.service.reading import read_history
from leadml.store import Report, Store
from leadml.store.records import moment_of_us, now
from leadml.store.remembering import events_of
from leadml.training.config import TrainConfig, dump_config
from leadml.training.labels import label

DAY = timedelta(days=1)


def won(lead_id: str, day: float, outcome: Outcome = Outcome.WON) -> Report:
    """A win so many days after the start."""
    return Report(lead_id, outcome, START + day * DAY)


def test_labels_count_within_the_horizon_and_never_guess(store):
    """Won in time is 1, won too late or not at all 0, immature is empty."""
    store.record_decisions(
        [
            decision("in time", day=0),
            decision("too late", day=0),
            decision("never", day=0),
            decision("young", day=50),
            decision("young and won", day=50),
        ]
    )
    store.record_reports([won("in time", 30), won("too late", 30.1), won("young and won", 51)])
    table = store.training_table(30, as_of=START + 60 * DAY)
    found = {row["lead_id"]: row.get("converted") for row in table.rows}
    assert found == {
        "in time": 1,
        "too late": 0,
        "never": 0,
        "young": None,
        "young and won": None,
    }
    assert table.n_immature == 2
    assert [row["lead_id"] for row in table.rows if "converted_at" in row] == ["in time"]


def test_inputs_are_those_of_the_decision(store):
    """What became known later does not change the row of an earlier decision."""
    store.record_decisions([decision("L1", day=0, inputs={"visits": 1, "country": "DE"})])
    store.record_decisions([decision("L1", day=9, inputs={"visits": 7, "plan": "pro"})])
    first = store.training_table(30, as_of=START + 99 * DAY)
    assert [row["visits"] for row in first.rows] == [1]
    assert first.columns == (
        "lead_id", "scored_at", "visits", "country", "converted", "converted_at",
    )  # fmt: skip
    every = store.training_table(30, as_of=START + 99 * DAY, which="all")
    assert [(row["visits"], row.get("plan")) for row in every.rows] == [(1, None), (7, "pro")]


def test_who_does_not_belong_is_left_out(store):
    """Erased leads, objecting leads and customers scored again are no lessons."""
    ids = ("erased", "objecting", "customer", "fine")
    store.record_decisions([decision(lead_id, day=5) for lead_id in ids])
    store.record_reports([won("customer", 1)])
    store.set_consent("objecting", objection=True, by="crm")
    store.erase("erased", by="dpo")
    table = store.training_table(30, as_of=START + 99 * DAY)
    assert [row["lead_id"] for row in table.rows] == ["fine"]
    assert table.n_left_out == {"objection": 1, "converted before scoring": 1}


def test_the_table_ends_at_its_present(store):
    """Decisions and outcomes after ``as_of`` are not used."""
    store.record_decisions([decision("L1", day=0), decision("later", day=20)])
    store.record_reports([won("L1", 12)])
    (row,) = store.training_table(5, as_of=START + 10 * DAY).rows
    assert (row["lead_id"], row["converted"]) == ("L1", 0)


def test_a_field_of_the_tables_own_name_is_left_out_and_named(store):
    """An input called like the label cannot leak into it."""
    store.record_decisions([decision("L1", inputs={"converted": 1, "visits": 2})])
    table = store.training_table(30, as_of=START + 99 * DAY)
    assert table.clashes == ("converted",)
    assert table.rows[0]["converted"] == 0


def test_another_outcome_may_be_the_target(store):
    """Acceptance by sales can be learned instead of the win."""
    store.record_decisions([decision("L1"), decision("L2")])
    store.record_reports([won("L1", 1, Outcome.ACCEPTED)])
    table = store.training_table(30, as_of=START + 99 * DAY, outcome=Outcome.ACCEPTED)
    assert [row["converted"] for row in table.rows] == [1, 0]


def test_a_population_of_its_own_stays_one(store):
    """Leads outside the population of the model are left out and counted, others are not."""
    store.record_decisions([decision(f"L{k}") for k in range(4)])
    store.record_reports([won("L1", 1, Outcome.ACCEPTED), won("L2", 2, Outcome.OPPORTUNITY)])
    store.record_reports([won("L1", 9), won("L3", 90, Outcome.ACCEPTED)])
    among = [Outcome.ACCEPTED, Outcome.OPPORTUNITY]
    table = store.training_table(30, as_of=START + 80 * DAY, among=among)
    assert [(row["lead_id"], row["converted"]) for row in table.rows] == [("L1", 1), ("L2", 0)]
    assert table.n_left_out == {"never accepted or opportunity": 2}
    later = store.training_table(30, as_of=START + 99 * DAY, among=among)
    assert [row["lead_id"] for row in later.rows] == ["L1", "L2", "L3"]


def test_training_reads_the_same_labels(store, tmp_path):
    """Written to a file and read by the training, every label is the one in the table."""
    store.record_decisions([decision(f"L{n:03d}", day=n / 3, inputs={"n": n}) for n in range(300)])
    store.record_reports([won(f"L{n:03d}", n / 3 + n % 40) for n in range(0, 300, 4)])
    table = store.training_table(30, as_of=START + 120 * DAY)
    frame = pd.DataFrame(table.rows, columns=list(table.columns))
    file = tmp_path / "next.csv"
    frame.to_csv(file, index=False)
    labels = label(pd.read_csv(file), TrainConfig(**table.settings))
    assert len(labels.converted) == 300
    expected = frame["converted"].to_numpy(float)
    known = ~pd.isna(expected)
    assert (labels.known == known).all()
    assert (labels.converted[known] == expected[known]).all()
    assert labels.n_immature == table.n_immature == (~known).sum()


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.one_of(
            st.sampled_from([0.01, 0.06, 0.09, 0.2]),
            st.sampled_from(list(Outcome)),
            st.booleans(),
        ),
    ),
    max_size=8,
)


def write(store: Store, lead_id: str, day: int, what) -> None:
    """One event of a lead: a score, a report or a change of consent."""
    at = START + day * DAY
    if isinstance(what, bool):
        store.set_consent(lead_id, contact_consent=what, by="crm", at=at)
    elif isinstance(what, float):
        store.record_decisions([decision(lead_id, what, at=at)])
    else:
        store.record_reports([Report(lead_id, what, at, reason="no")])


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), events=EVENTS)
def test_the_order_of_arrival_changes_nothing_in_the_store(data, store, events):
    """Two leads with the same events in another order of arrival stand the same."""
    number = uuid.uuid4().hex
    orders = {f"a{number}": events, f"b{number}": data.draw(st.permutations(events))}
    for lead_id, order in orders.items():
        for day, what in order:  # what is refused in one order has no effect in the other
            write(store, lead_id, day, what)
    found = [store.lead(lead_id) for lead_id in orders]
    if found[0] is not None and found[1] is not None:
        same = ("stage", "stage_since", "contact_consent", "objection", "rejected")
        assert {n: found[0].get(n) for n in same} == {n: found[1].get(n) for n in same}


def test_a_life_read_back_is_the_life_that_was_written(store):
    """The stored standing of a lead is the fold of its stored events."""
    for day, what in enumerate([0.2, Outcome.REJECTED, 0.2, True, Outcome.OPPORTUNITY, False]):
        write(store, "L1", day, what)
    with store._database.reading() as connection:
        standing = life.fold(events_of(connection, "L1"))
    lead = store.lead("L1")
    assert lead["stage"] == str(standing.stage) == "sql"
    assert lead["stage_since"] == "2026-03-06T09:00:00Z"
    assert standing.since == moment_of_us(1772787600000000)


def test_what_sales_learnt_is_known_from_its_report_on(store):
    """BANT stands in rows of later decisions only; what a request itself said counts more."""
    asked = now() + timedelta(days=1)
    store.record_decisions([decision("L1", at=START), decision("L2", at=START)])
    for lead_id in ("L1", "L2"):
        given = {"budget": 5, "need": "x", "chat": "nice"}
        store.record_reports([Report(lead_id, Outcome.ACCEPTED, START, details=given)])
    store.record_decisions(
        [decision("L1", at=asked), decision("L2", at=asked, inputs={"budget": 7})]
    )
    table = store.training_table(30, as_of=asked + timedelta(days=90), which="all")
    found = [(row["lead_id"], row.get("budget"), row.get("need")) for row in table.rows]
    assert found == [("L1", None, None), ("L2", None, None), ("L1", 5, "x"), ("L2", 7, "x")]
    assert "chat" not in table.columns


def test_the_next_training_knows_its_population(store, tmp_path):
    """An export for a model of accepted leads says so, and the training of it keeps that in mind.

    Asked for by hand, a population still needs the table of outcomes that tells it.
    """
    store.record_decisions([decision(f"L{k}") for k in range(3)])
    store.record_reports([won(f"L{k}", 1, Outcome.ACCEPTED) for k in range(2)])
    store.record_reports([won("L0", 9)])
    table = store.training_table(30, as_of=START + 99 * DAY, among=[Outcome.ACCEPTED])
    made = config_for(table, {"among": ["accepted"], "outcomes": "deals.csv"})
    write_table(pd.DataFrame(table.rows), tmp_path / "next.csv", safe=False)
    (tmp_path / "next.toml").write_text(dump_config(made), encoding="utf-8")
    history = read_history(str(tmp_path / "next.csv"), {"config": tmp_path / "next.toml"})
    assert history.config.among == ("accepted",)
    assert len(history.frame) == 2
    with pytest.raises(ConfigError, match="second table of outcomes"):
        read_history(str(tmp_path / "next.csv"), {"among": "accepted"})
