"""The simulated history and its known truth."""

import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from leadml.datasets.read import read_table
from leadml.datasets.simulate import HORIZON_DAYS, SimulatedHistory, simulate, write_history
from leadml.errors import ConfigError
from leadml.leads import Availability, Outcome


@pytest.fixture(scope="module")
def history() -> SimulatedHistory:
    """A history large enough for shares to settle."""
    return simulate(20_000, seed=1, leaks=True)


def test_same_seed_same_history():
    """Equal arguments give equal tables, another seed another history."""
    one, two, other = simulate(500, 7), simulate(500, 7), simulate(500, 8)
    for name in ("leads", "outcomes", "events", "truth"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))
    assert not one.truth.equals(other.truth)


def test_outcomes_follow_the_truth(history: SimulatedHistory):
    """Leads convert as often as their true probability says, in every tenth of them."""
    truth = history.truth
    assert 0.08 < truth["converts"].mean() < 0.12
    assert 0.80 < roc_auc_score(truth["converts"], truth["true_probability"]) < 0.86
    tenth = pd.qcut(truth["true_probability"], 10, labels=False)
    for _, part in truth.groupby(tenth):
        error = np.sqrt((part.true_probability * (1 - part.true_probability)).sum()) / len(part)
        assert abs(part.converts.mean() - part.true_probability.mean()) < 4 * error


def test_nothing_hidden_acts():
    """Two leads with the same columns have the same chance, apart from the slow shift."""
    still = simulate(60_000, seed=3, shift=0.0)
    driving = [
        name
        for name in still.availability
        if name not in ("email", "phone", "owner", "campaign", "first_device", "devices_used_90d")
    ]
    rounded = still.truth["true_probability"].round(12)
    # Sizes are nearly unique; leads that do not tell theirs have enough twins.
    keys = still.leads[still.leads.employees.isna()].groupby(driving, dropna=False).ngroup()
    twins = rounded[keys.index].groupby(keys).agg(["size", "nunique"])
    assert (twins["size"] > 1).sum() > 5
    assert (twins["nunique"] == 1).all()


def test_behaviour_is_counted_strictly_before_creation(history: SimulatedHistory):
    """The table's counts equal a recount of the events older than the lead, and no other."""
    events = history.events.merge(history.leads[["lead_id", "created_at"]], on="lead_id")
    age = (
        pd.to_datetime(events.created_at) - pd.to_datetime(events.occurred_at)
    ).dt.total_seconds()
    assert (age < 0).sum() > 1000  # what came later stands there too, as a trap
    inside = events[(age > 0) & (age <= 30 * 86_400) & (events.event == "pricing_page_view")]
    counts = inside.groupby("lead_id").size().reindex(history.leads.lead_id, fill_value=0)
    assert counts.tolist() == history.leads.pricing_page_views_30d.tolist()
    devices = events[age > 0].groupby("lead_id").device_id.nunique()
    devices = devices.reindex(history.leads.lead_id, fill_value=0)
    assert devices.tolist() == history.leads.devices_used_90d.tolist()
    assert devices.max() == 3


def test_ripeness(history: SimulatedHistory):
    """Young leads without a win are unknown, old ones 0; some wins come after the horizon."""
    leads = history.leads
    created, won = pd.to_datetime(leads.created_at), pd.to_datetime(leads.converted_at)
    age = (pd.Timestamp("2026-10-31", tz="UTC") - created).dt.days
    assert leads.converted[(age < HORIZON_DAYS) & won.isna()].isna().all()
    assert (leads.converted[(age >= HORIZON_DAYS) & won.isna()] == 0).all()
    assert (leads.converted[won.notna()] == 1).all()
    days = (won - created).dt.total_seconds() / 86_400
    assert days.min() > 0
    assert 0.01 < (days > HORIZON_DAYS).sum() / won.notna().sum() < 0.15
    assert created.is_monotonic_increasing


def test_sales_judge_within_capacity(history: SimulatedHistory):
    """Outcomes are words of the vocabulary, in order of time, and no week exceeds capacity."""
    outcomes = history.outcomes
    assert set(outcomes.outcome) == {str(word) for word in Outcome}
    wide = outcomes.pivot(index="lead_id", columns="outcome", values="occurred_at")
    created = history.leads.set_index("lead_id").created_at.reindex(wide.index)
    both = wide.dropna(subset=["opportunity", "won"])
    assert (both.accepted <= both.opportunity).all()
    assert (both.opportunity <= both.won).all()
    assert (wide.accepted.dropna() >= created[wide.accepted.notna()]).all()
    assert wide[["won", "lost"]].notna().all(axis=1).sum() == 0
    decided = wide[wide[["accepted", "rejected", "disqualified"]].notna().any(axis=1)].index
    weeks = pd.to_datetime(history.leads.set_index("lead_id").created_at[decided])
    weeks = weeks.dt.tz_localize(None).dt.to_period("W").value_counts()
    capacity = round(0.4 * len(history.leads) / (18 * 30.4375 / 7))
    assert weeks.max() <= capacity * 1.02


def test_leaks_tell_and_are_declared():
    """Leaky columns exist only on request, tell the outcome, and are marked as known after."""
    assert "last_activity" not in simulate(100).leads
    history = simulate(20_000, seed=1, leaks=True)
    known = history.leads.converted.notna()
    y = history.leads.converted[known].astype(int)
    rates = y.groupby(history.leads.last_activity[known]).mean()
    assert rates["Contract signed"] == 1.0
    assert roc_auc_score(y, history.leads.call_duration_s[known].astype(float)) > 0.62
    assert y[history.leads.lead_quality[known].notna()].mean() > 1.5 * y.mean()
    after = {name for name, when in history.availability.items() if when is Availability.AFTER}
    assert after == {"last_activity", "call_duration_s", "lead_quality"}


def test_the_base_rate_shifts():
    """A shift raises the chance from the first third to the last."""
    truth = simulate(20_000, seed=2, shift=1.0).truth.true_probability
    assert truth[-6000:].mean() > 1.4 * truth[:6000].mean()


def test_bad_contacts_and_double_entries(history: SimulatedHistory):
    """Some addresses are broken, some people stand there twice in other capitals."""
    email = history.leads.email
    assert 0.01 < email.str.endswith("@").mean() < 0.03
    assert 0.004 < email.str.lower().duplicated().mean() < 0.04
    assert (history.leads.phone == "12345").sum() > 100
    assert history.leads.lead_id.is_unique


@pytest.mark.parametrize("n_leads", [1, 2, 30])
def test_tiny_histories(n_leads: int):
    """A history of one lead is still a history."""
    assert len(simulate(n_leads, leaks=True).leads) == n_leads


def test_written_and_read_back(tmp_path: Path):
    """The files read back as the tables; the truth lies apart."""
    history = simulate(2000, seed=4)
    files = write_history(history, tmp_path / "crm")
    assert [str(f.relative_to(tmp_path)) for f in files] == [
        "crm/leads.csv",
        "crm/outcomes.csv",
        "crm/events.parquet",
        "crm/truth/truth.csv",
    ]
    leads = read_table(files[0])
    assert leads.columns.tolist() == history.leads.columns.tolist()
    assert leads.converted.isna().tolist() == history.leads.converted.isna().tolist()
    assert leads.employees.dtype == np.float64
    assert not {"true_probability", "converts"} & set(leads.columns)
    truth = read_table(files[3])
    assert truth.true_probability.tolist() == history.truth.true_probability.tolist()
    assert len(read_table(files[2])) == len(history.events)


def test_it_is_quick():
    """Fifty thousand leads take a few seconds at most."""
    started = time.perf_counter()
    simulate(50_000)
    assert time.perf_counter() - started < 15  # 2 s on a quiet core


@pytest.mark.parametrize(
    "arguments",
    [
        {"n_leads": 0},
        {"n_leads": 5, "months": 0},
        {"n_leads": 5, "end": datetime(2026, 1, 1)},  # noqa: DTZ001 - that is the mistake
    ],
)
def test_impossible_wishes(arguments: dict):
    """No leads, no time, or a time without a zone are refused."""
    with pytest.raises(ConfigError):
        simulate(**arguments)
