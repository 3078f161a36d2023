"""Who converted within the horizon, and whose horizon has not passed."""

import numpy as np
import pandas as pd
import pytest

from leadml.errors import (
    ConfigError,
    InvalidValue,
    OutcomeInvalid,
    TableEmpty,
    TargetMissing,
    TargetOneClass,
    TooFewConversions,
)
from leadml.training.config import TrainConfig
from leadml.training.labels import label, time_to_conversion

DAYS = pd.date_range("2026-01-01", periods=200, freq="D", tz="UTC")


def history():
    """One lead a day; every third converts after its number of days modulo 50."""
    converts = np.arange(200) % 3 == 0
    won = DAYS + pd.to_timedelta(np.arange(200) % 50, unit="D")
    return pd.DataFrame(
        {
            "created": DAYS.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "won": converts.astype(int),
            "won_at": np.where(converts & (won <= DAYS[-1]), won.strftime("%Y-%m-%d"), ""),
        }
    ).assign(won=lambda f: (f.won_at != "").astype(int))


def config(**more):
    """The usual configuration of that history."""
    return TrainConfig(target="won", created_at="created", outcome_at="won_at", **more)


def test_a_lead_younger_than_the_horizon_is_unknown_never_negative():
    """Immature leads are NaN, whether or not they converted already."""
    found = label(history(), config(horizon_days=30))
    age = (found.as_of - pd.to_datetime(history().created)).dt.days
    assert np.isnan(found.converted[age < 30]).all()
    assert not np.isnan(found.converted[age >= 30]).any()
    assert found.n_immature == (age < 30).sum()


def test_a_conversion_after_the_horizon_counts_as_none():
    """The label is 'within the horizon', not 'ever'."""
    found = label(history(), config(horizon_days=20))
    table = history()
    days = (pd.to_datetime(table.won_at, utc=True) - pd.to_datetime(table.created)).dt.days
    late = (days > 20) & ~np.isnan(found.converted)
    assert late.any()
    assert (found.converted[late] == 0).all()


def test_a_later_as_of_only_ripens_leads():
    """No known label changes when time passes; unknown ones become known."""
    early = label(history(), config(horizon_days=30, as_of="2026-06-01"))
    late = label(history(), config(horizon_days=30, as_of="2026-09-01"))
    known = early.known
    assert (late.converted[known] == early.converted[known]).all()
    assert late.known.sum() > known.sum()


def test_a_horizon_is_proposed_from_the_time_to_conversion():
    """Without one, leadml proposes the usual horizon that sees three quarters."""
    found = label(history(), config())
    assert not found.horizon_given
    assert found.horizon_days in (30, 60)
    shares = [point["share"] for point in found.curve]
    assert shares == sorted(shares)


def test_kaplan_meier_equals_the_textbook():
    """Censored leads leave the risk set; 11 conversions among 13 leads by hand."""
    days = np.array([1.0] * 5 + [3.0] * 6 + [np.nan, np.nan])
    age = np.array([9.0] * 11 + [2.0, 9.0])
    curve = time_to_conversion(days, age)
    assert curve[0] == {"day": 1.0, "share": pytest.approx(5 / 13)}
    assert curve[1]["share"] == pytest.approx(1 - (8 / 13) * (1 / 7))


def test_without_times_the_outcome_stands_as_it_is():
    """Yes is yes, no is no, empty is unknown."""
    frame = pd.DataFrame({"y": ["yes"] * 12 + ["no"] * 20 + [None] * 3})
    found = label(frame, TrainConfig(target="y"))
    assert found.positive == "yes"
    assert np.nansum(found.converted) == 12
    assert np.isnan(found.converted).sum() == 3
    assert found.horizon_days is None


@pytest.mark.parametrize(
    ("words", "positive"),
    [
        (("Ja", "Nein"), "Ja"),
        (("won", "open"), "won"),
        (("1", "0"), "1"),
        (("true", "false"), "true"),
        (("converted", "lost"), "converted"),
        (("customer", "no"), "customer"),
        (("gewonnen", "offen"), "gewonnen"),
        (("beauftragt", "verloren"), "beauftragt"),
    ],
)
def test_plain_words_for_yes_are_understood(words, positive):
    """Usual pairs need no --positive."""
    frame = pd.DataFrame({"y": [words[0]] * 15 + [words[1]] * 15})
    assert label(frame, TrainConfig(target="y")).positive == positive


@pytest.mark.parametrize(
    ("values", "options", "error", "says"),
    [
        ([], {}, TableEmpty, "no rows"),
        (["a"] * 30, {}, TargetOneClass, "holds only 'a'"),
        (["a"] * 20 + ["b"] * 20, {}, OutcomeInvalid, "none is plainly yes"),
        (["a", "b", "c"] * 20, {}, OutcomeInvalid, "3 values"),
        (["yes"] * 20 + ["no"] * 20, {"positive": "maybe"}, OutcomeInvalid, "no row"),
        (["yes"] * 9 + ["no"] * 99, {}, TooFewConversions, "only 9 conversions"),
        (["yes"] * 99 + ["no"] * 9, {}, TooFewConversions, "did not convert"),
        ([None] * 30, {}, OutcomeInvalid, "empty in every row"),
        (["yes"] * 20 + ["no"] * 20, {"target": "z"}, TargetMissing, "no column 'z'"),
        (["yes"] * 20 + ["no"] * 20, {"target": ""}, TargetMissing, "named"),
        (["yes"] * 20 + ["no"] * 20, {"horizon_days": 5}, ConfigError, "created"),
    ],
)
def test_outcomes_that_cannot_be_read_are_refused_with_the_fix(values, options, error, says):
    """Each names what is wrong and what to do."""
    frame = pd.DataFrame({"y": pd.Series(values, dtype=object)})
    with pytest.raises(error, match=says) as caught:
        label(frame, TrainConfig(**({"target": "y"} | options)))
    assert caught.value.fix


def test_times_that_cannot_be_read_name_their_rows():
    """Rows count from 1."""
    frame = history()
    frame.loc[[3, 7], "created"] = "soon"
    with pytest.raises(InvalidValue) as caught:
        label(frame, config(horizon_days=30))
    assert caught.value.rows == (4, 8)
    assert caught.value.column == "created"


def test_outcomes_before_creation_are_refused_when_there_are_many():
    """Swapped columns are found, not learned from."""
    frame = history().rename(columns={"created": "won_at", "won_at": "created"})
    frame["created"] = frame.created.replace("", "2026-01-01")
    frame["won_at"] = "2025-01-01"
    with pytest.raises(InvalidValue, match="before"):
        label(frame, config(horizon_days=30))


def test_two_words_for_yes_are_refused_with_their_rows():
    """An outcome that says yes in two ways is refused unless the user says which one counts."""
    won = ["yes"] * 20 + ["no"] * 30 + ["Ja"] * 12
    frame = pd.DataFrame({"won": won, "x": range(62)})
    with pytest.raises(OutcomeInvalid, match="2 ways: 'yes', 'Ja'") as refused:
        label(frame, TrainConfig(target="won"))
    assert (refused.value.column, refused.value.rows[0]) == ("won", 51)
    assert label(frame, TrainConfig(target="won", positive="Ja")).converted.sum() == 12
