"""Leads joined by a second table of outcomes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leadml.datasets import join_outcomes, read_table, simulate
from leadml.errors import ColumnMissing, InvalidValue, OutcomeInvalid
from leadml.training.config import TrainConfig

LEADS = pd.DataFrame(
    {
        "lead_id": ["1", "2", "3", "4"],
        "industry": ["a", "b", "a", None],
        "created_at": ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"],
    }
)
DEALS = pd.DataFrame(
    {
        "lead_id": [3.0, 1.0, 3.0, 9.0, None],
        "closed_on": ["2026-02-03", "2026-02-02", "2026-02-01", "2026-02-04", "2026-02-04"],
        "revenue": [1, 2, 3, 4, 5],
    }
)


def test_flat_table_of_two():
    """Ids match by value, the earliest outcome counts, all other deal columns stay out."""
    joined = join_outcomes(LEADS, DEALS)
    assert (joined.key, joined.created_at, joined.outcome_at) == (
        "lead_id",
        "created_at",
        "closed_on",
    )
    assert joined.frame.converted.tolist() == [1, 0, 1, 0]
    assert joined.frame.converted_at.tolist()[::2] == ["2026-02-02", "2026-02-01"]
    assert joined.frame.converted_at.isna().tolist() == [False, True, False, True]
    assert "revenue" not in joined.frame
    assert joined.dropped == ("revenue",)
    assert any("revenue" in note for note in joined.notes)
    assert any("belong to no lead" in note for note in joined.notes)
    assert "converted" not in LEADS


def test_the_configuration_follows():
    """The target, the times and the id of a configuration mean the flat table afterwards."""
    config = join_outcomes(LEADS, DEALS).configured(TrainConfig(outcomes="deals.csv", seed=4))
    assert (config.target, config.positive, config.id) == ("converted", "1", "lead_id")
    assert (config.created_at, config.outcome_at) == ("created_at", "converted_at")
    assert (config.outcomes, config.seed) == ("", 4)


def test_olist(mirror: Path):
    """Olist's two files join by mql_id; leads older than the recording of wins are left out."""
    leads = read_table(mirror / "olist_marketing_qualified_leads_dataset.csv.gz")
    deals = read_table(mirror / "olist_closed_deals_dataset.csv.gz")
    joined = join_outcomes(leads, deals)
    assert (joined.key, joined.created_at, joined.outcome_at) == (
        "mql_id",
        "first_contact_date",
        "won_date",
    )
    assert joined.recorded_from == "2017-12-05"
    assert (
        joined.n_truncated
        == (leads["first_contact_date"] < "2017-12-05").sum()
        + (leads["first_contact_date"] == "2017-12-05").sum()
    )
    assert len(joined.dropped) == 12
    assert joined.frame.attrs["digest"] not in (leads.attrs["digest"], deals.attrs["digest"])
    later = joined.frame[joined.frame.first_contact_date >= "2018-01-01"]
    ids = set(deals["mql_id"])
    assert later["converted"].tolist() == [int(i in ids) for i in later["mql_id"]]


def test_a_history_recorded_from_the_start_keeps_every_lead():
    """Leads before the first win are normal where few wins were due; nothing is left out."""
    for seed in range(5):
        history = simulate(3000, seed)
        assert join_outcomes(history.leads, history.outcomes).n_truncated == 0


def test_outcomes_in_leadmls_own_words():
    """A table of several outcomes a lead counts the wins, or another stage if asked."""
    history = simulate(3000, 1)
    bare = history.leads.drop(columns=["converted", "converted_at"])
    joined = join_outcomes(bare, history.outcomes)
    assert joined.frame.converted.tolist() == (history.leads.converted == 1).fillna(False).tolist()
    accepted = join_outcomes(bare, history.outcomes, outcome="accepted")
    assert accepted.frame.converted.sum() == (history.outcomes.outcome == "accepted").sum()
    with pytest.raises(OutcomeInvalid, match="bought"):
        join_outcomes(bare, history.outcomes, outcome="bought")


def test_without_dates():
    """Outcomes without any time still say who converted."""
    joined = join_outcomes(LEADS, pd.DataFrame({"lead_id": ["2"], "amount": [5]}))
    assert joined.frame.converted.tolist() == [0, 1, 0, 0]
    assert "converted_at" not in joined.frame
    assert joined.configured(TrainConfig()).outcome_at == ""


def test_tables_that_do_not_fit():
    """No shared key, a key that repeats, a wrong name, no common lead: each says what to do."""
    with pytest.raises(ColumnMissing, match="share no column"):
        join_outcomes(LEADS, DEALS.rename(columns={"lead_id": "contact"}))
    twice = pd.concat([LEADS, LEADS[1:2]])
    with pytest.raises(InvalidValue) as caught:
        join_outcomes(twice, DEALS, "lead_id")
    assert caught.value.rows == (5,)
    with pytest.raises(ColumnMissing, match="outcomes has no column 'industry'"):
        join_outcomes(LEADS, DEALS, "industry")
    with pytest.raises(ColumnMissing, match="won_on"):
        join_outcomes(LEADS, DEALS, outcome_at="won_on")
    with pytest.raises(OutcomeInvalid, match="that of a lead"):
        join_outcomes(LEADS, pd.DataFrame({"lead_id": ["x"]}), "lead_id")


def test_unreadable_times_are_no_times():
    """A deal without a readable date still counts as converted, undated."""
    deals = pd.DataFrame({"lead_id": ["1", "2"], "closed_on": ["2026-02-01", None]})
    frame = join_outcomes(LEADS, deals).frame
    assert frame.converted.tolist() == [1, 1, 0, 0]
    assert frame.converted_at.isna().tolist() == [False, True, True, True]
    assert np.isfinite(frame.converted.to_numpy()).all()


def test_stages_of_one_history():
    """Accepted of those decided on, opportunity of the accepted: each has its own leads."""
    history = simulate(3000, 1)
    bare = history.leads.drop(columns=["converted", "converted_at"])
    words = {
        word: set(history.outcomes.lead_id[history.outcomes.outcome == word])
        for word in ("accepted", "rejected", "opportunity")
    }
    decided = words["accepted"] | words["rejected"]
    sal = join_outcomes(bare, history.outcomes, outcome="accepted", among=("accepted", "rejected"))
    assert set(sal.frame.lead_id) == decided
    assert sal.frame.converted.sum() == len(words["accepted"])
    assert any(f"{len(bare) - len(decided)} leads were left out" in note for note in sal.notes)
    sql = join_outcomes(bare, history.outcomes, outcome="opportunity", among=("accepted",))
    assert set(sql.frame.lead_id) == words["accepted"]
    assert sql.frame.converted.sum() == len(words["opportunity"] & words["accepted"])
    assert sql.frame.index.tolist() == list(range(len(sql.frame)))


def test_a_stage_needs_leadmls_words():
    """A table of deals alone cannot say who was accepted; nothing else is taken for it."""
    with pytest.raises(OutcomeInvalid, match="'accepted' cannot be found"):
        join_outcomes(LEADS, DEALS, outcome="accepted")
    with pytest.raises(OutcomeInvalid, match="'accepted' cannot be found"):
        join_outcomes(LEADS, DEALS, among=("accepted",))
