"""Guesses about tables nobody has described."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadml.datasets import read_table, simulate
from leadml.datasets.catalog import get
from leadml.leads import Availability, Kind, Role
from leadml.training.config import ColumnPlan, TrainConfig, dump_config, load_config
from leadml.training.guess import Guess, guess


def roles(found: Guess, role: Role) -> list[str]:
    """Names of the columns that got a role."""
    return [name for name, plan in found.config.columns.items() if plan.role is role]


def after(found: Guess) -> set[str]:
    """Names of the columns held to be known only after the outcome."""
    return {
        name
        for name, plan in found.config.columns.items()
        if plan.availability is Availability.AFTER
    }


def doubted(found: Guess) -> set[str]:
    """Names of the columns that people are asked about."""
    return {doubt.column for doubt in found.doubts}


def test_bank(mirror: Path, tmp_path: Path):
    """Bank: the outcome, what the call itself produced, and nothing else in doubt."""
    (path,) = get("bank", tmp_path, mirror)
    found = guess(read_table(path))
    assert (found.config.target, found.config.positive) == ("y", "yes")
    assert after(found) == {"duration"}
    assert doubted(found) == {"duration", ""}
    assert any(doubt.key == "order_by" for doubt in found.doubts)
    assert roles(found, Role.ENGAGEMENT) == ["duration", "pdays", "previous", "poutcome"]
    assert not found.useless


def test_xeducation(mirror: Path, tmp_path: Path):
    """X Education: ids, order, constants, consent, and each leak that the data card names."""
    (path,) = get("xeducation", tmp_path, mirror)
    found = guess(read_table(path))
    config = found.config
    assert (config.target, config.positive, config.id) == ("Converted", "1", "Prospect ID")
    assert config.order_by == "Lead Number"
    leaks = {
        "Tags",
        "Lead Quality",
        "Lead Profile",
        "Asymmetrique Activity Index",
        "Asymmetrique Profile Index",
        "Asymmetrique Activity Score",
        "Asymmetrique Profile Score",
        "Last Activity",
        "Last Notable Activity",
    }
    assert after(found) == leaks
    emptiness = {
        "What is your current occupation",
        "What matters most to you in choosing a course",
    }
    assert doubted(found) == leaks | emptiness | {"Lead Number"}
    assert roles(found, Role.CONSENT) == ["Do Not Email", "Do Not Call"]
    assert {"TotalVisits", "Total Time Spent on Website", "Page Views Per Visit"} < set(
        roles(found, Role.ENGAGEMENT)
    )
    assert len(found.useless) == 5


def test_coil(mirror: Path, tmp_path: Path):
    """COIL: the last column is taken for the outcome, but asked about."""
    found = guess(read_table(get("coil2000", tmp_path, mirror)[0]))
    assert (found.config.target, found.config.positive) == ("caravan", "1")
    assert "caravan" in doubted(found)
    assert "target" not in found.sure
    assert len(roles(found, Role.FIT)) == 85


def test_olist(mirror: Path, tmp_path: Path):
    """Olist: two tables, their key and their times."""
    leads, outcomes = map(read_table, get("olist", tmp_path, mirror))
    config = guess(leads, outcomes=outcomes).config
    assert (config.id, config.created_at) == ("mql_id", "first_contact_date")
    assert (config.outcomes, config.outcomes_join) == ("outcomes.csv", "mql_id")
    assert (config.target, config.outcome_at) == ("", "won_date")
    assert config.plan("landing_page_id").role is Role.FIT


def test_bpic2012(mirror: Path, tmp_path: Path):
    """BPI Challenge: a table of events is recognised as no table of leads."""
    found = guess(read_table(get("bpic2012", tmp_path, mirror)[0]))
    assert found.config.created_at == "reg_date"
    assert found.config.target == ""
    assert any("events" in doubt.question for doubt in found.doubts)
    assert any(doubt.key == "target" for doubt in found.doubts)


def test_simulated_history():
    """The simulated table: every role and availability is as the simulation knows it."""
    history = simulate(5000, 2, leaks=True)
    found = guess(history.leads)
    config = found.config
    assert (config.target, config.positive, config.id) == ("converted", "1", "lead_id")
    assert (config.created_at, config.outcome_at) == ("created_at", "converted_at")
    assert {"target", "id", "created_at", "outcome_at"} <= found.sure
    truth = {name for name, when in history.availability.items() if when is Availability.AFTER}
    assert after(found) == truth | {"converted_at"}
    assert doubted(found) == truth
    assert roles(found, Role.IGNORE) == ["email", "phone"]
    assert roles(found, Role.CONSENT) == ["contact_consent"]
    at_scoring = {n for n, when in history.availability.items() if when is Availability.SCORING}
    assert at_scoring <= set(roles(found, Role.ENGAGEMENT))
    assert not guess(simulate(5000, 2).leads).doubts


def test_the_file_written_from_a_guess_can_be_read(tmp_path: Path):
    """Guesses and doubts become a commented leadml.toml that says the same."""
    found = guess(simulate(2000, 2, leaks=True).leads)
    path = tmp_path / "leadml.toml"
    path.write_text(dump_config(found.config, found.notes), encoding="utf-8")
    assert load_config(path) == found.config
    line = next(line for line in path.read_text().splitlines() if line.startswith("lead_quality"))
    assert "DOUBT" in line


def test_filling_drops_nothing():
    """Completing a bare configuration takes what is sure and leaves doubtful columns in."""
    history = simulate(3000, 2, leaks=True)
    config = guess(history.leads, "converted").fill(TrainConfig(target="converted"))
    assert (config.id, config.created_at, config.outcome_at) == (
        "lead_id",
        "created_at",
        "converted_at",
    )
    assert config.dropped == ()
    assert config.plan("pricing_page_views_30d").role is Role.ENGAGEMENT
    assert config.plan("industry") == ColumnPlan()


def test_filling_respects_what_was_said():
    """What people said stays: other times, a dropped id, a role of their own."""
    leads = simulate(3000, 2).leads
    said = TrainConfig(
        target="converted",
        created_at="created_at",
        drop=("lead_id",),
        columns={"page_views_30d": ColumnPlan(role=Role.FIT)},
        order_by="lead_id",
    )
    filled = guess(leads).fill(said)
    assert filled.plan("page_views_30d").role is Role.FIT
    assert (filled.order_by, filled.drop, filled.id) == ("lead_id", ("lead_id",), "")


def test_given_target_wins():
    """A named outcome is not second-guessed, and the other candidate becomes a leak in doubt."""
    frame = pd.DataFrame(
        {"accepted": ["yes", "no"] * 50, "won": [1, 0, 0, 0] * 25, "a": range(100)}
    )
    found = guess(frame, "accepted")
    assert (found.config.target, found.config.positive) == ("accepted", "yes")
    assert "won" in after(found)
    assert "won" in doubted(found)


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (["Ja", "Nein"], "Ja"),
        (["no", "yes"], "yes"),
        (["TRUE", "FALSE"], "true"),
        ([1.0, 0.0], "1"),
        (["Closed Won", "Closed Lost", "Open"], "Closed Won"),
        (["t", "f"], "t"),
        (["Gewonnen", "Verloren"], "Gewonnen"),
        (["beauftragt", "beauftragt", "verloren"], "beauftragt"),
    ],
)
def test_positive_values(values: list, positive: str):
    """Yes is found in several languages and spellings, in words or numbers."""
    frame = pd.DataFrame({"won": values * 20, "a": range(len(values) * 20)})
    assert guess(frame).config.positive == positive


def test_an_unknown_word_for_yes_is_asked():
    """Of two unknown words the rarer is proposed and asked about."""
    found = guess(pd.DataFrame({"outcome": ["hot", "cold", "cold"] * 20, "a": range(60)}))
    assert found.config.positive == "hot"
    assert any("'hot' mean converted" in doubt.question for doubt in found.doubts)


def test_unknown_words_in_the_last_column_are_asked_about_too():
    """Where only its place makes a column the outcome, its meaning is as doubtful as elsewhere."""
    found = guess(pd.DataFrame({"a": range(60), "Stand": ["warm", "warm", "kalt"] * 20}))
    assert (found.config.target, found.config.positive) == ("Stand", "kalt")
    assert any("'kalt' mean converted" in doubt.question for doubt in found.doubts)


@pytest.mark.parametrize(
    ("name", "role", "availability"),
    [
        ("LastModifiedDate2", Role.FIT, Availability.AFTER),
        ("Lead Score", Role.FIT, Availability.AFTER),
        ("marital_status", Role.FIT, Availability.CREATION),
        ("days_since_last_contact", Role.ENGAGEMENT, Availability.SCORING),
        ("emailOpens_90d", Role.ENGAGEMENT, Availability.SCORING),
        ("opt-in", Role.CONSENT, Availability.CREATION),
        ("Gender", Role.GROUP, Availability.CREATION),
        ("industry", Role.FIT, Availability.CREATION),
        ("credit_score", Role.FIT, Availability.CREATION),
    ],
)
def test_names_in_many_spellings(name: str, role: Role, availability: Availability):
    """Words are found in snake, camel and spaced names; look-alikes are told apart."""
    frame = pd.DataFrame({name: ["a", "b", "c"] * 20, "won": [1, 0, 0] * 20})
    plan = guess(frame).config.plan(name)
    assert (plan.role, plan.availability) == (role, availability)


def test_kinds_and_rest():
    """Numbers that only name things are categories; dates in other forms are asked about."""
    n = 120
    frame = pd.DataFrame(
        {
            "owner_id": [1, 2, 3] * 40,
            "came": [f"{d % 28 + 1:02d}/03/2026" for d in range(n)],
            "empty": [None] * n,
            "same": ["x"] * n,
            "story": [f"a long text about lead number {i} that nobody can learn" for i in range(n)],
            "e-mail": [f"a{i}@example.com" for i in range(n)],
            "won": [1, 0, 0] * 40,
        }
    )
    found = guess(frame)
    assert found.config.plan("owner_id").kind is Kind.CATEGORY
    assert "came" in doubted(found)
    assert found.useless == {"empty", "same", "story", "e-mail"}
    assert found.fill(TrainConfig(target="won")).plan("owner_id").kind is Kind.CATEGORY


def test_dates_and_numbers_as_people_write_them():
    """Text that is a date or a number to people is asked about, not taken for free text."""
    n = 120
    frame = pd.DataFrame(
        {
            "angelegt": [f"{d % 28 + 1:02d}/03/2026 {d % 24:02d}:{d % 60:02d}" for d in range(n)],
            "erfasst": [f"{d % 28 + 1}.3.2026 {d % 24:02d}:{d % 60:02d}" for d in range(n)],
            "wert": [f"{d + 1}.250,{d % 100:02d} €" for d in range(n)],
            "size": [f"{d + 1}.200" if d % 2 else str(d + 100) for d in range(n)],
            "plz": [f"{d % 60:05d}" for d in range(n)],
            "won": [1, 0, 0] * 40,
        }
    )
    found = guess(frame)
    asked = {doubt.column: doubt.question for doubt in found.doubts}
    assert asked["angelegt"] == "is it a date?"
    assert found.config.created_at == "erfasst"
    assert asked["wert"] == asked["size"] == "is it a number?"
    assert found.config.plan("wert").role is Role.IGNORE
    assert "plz" not in asked
    assert not found.useless


CELL = st.one_of(
    st.none(),
    st.integers(-5, 5),
    st.floats(),
    st.sampled_from(["", "yes", "2026-01-01", "x", "31.12.2025", "NA"]),
    st.text(max_size=5),
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["id", "won", "y", "created_at", "closed_at", "email", "Ä b", "", "n_7d"]),
        st.lists(CELL, min_size=5, max_size=5),
        max_size=5,
    ),
    st.integers(0, 5),
)
def test_it_never_fails(columns: dict, n_rows: int):
    """Any table gives a guess and a file that can be read, however odd its cells."""
    frame = pd.DataFrame(columns).head(n_rows)
    found = guess(frame)
    assert set(found.config.columns) == set(columns)
    found.fill(TrainConfig())
    assert dump_config(found.config, found.notes)
    assert all("?" in str(doubt) for doubt in found.doubts)


def test_wide_tables_are_quick():
    """A thousand columns are judged in seconds."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(500, 1000)), columns=[f"c{i}" for i in range(1000)])
    assert len(guess(frame).config.columns) == 1000
