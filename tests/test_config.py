"""leadml.toml: what it accepts, refuses, and gives back."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.errors import ConfigError, FileMissing
from leadml.leads import Availability, Kind, Role
from leadml.training.config import ColumnPlan, TrainConfig, dump_config, load_config

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)

PLANS = st.builds(
    ColumnPlan,
    role=st.none() | st.sampled_from(Role),
    availability=st.none() | st.sampled_from(Availability),
    kind=st.none() | st.sampled_from(Kind),
    phrase=TEXT,
)

CONFIGS = st.builds(
    TrainConfig,
    name=NAMES.filter(str.strip),
    target=TEXT,
    positive=TEXT,
    created_at=TEXT,
    horizon_days=st.none() | st.integers(1, 3000),
    drop=st.lists(NAMES, max_size=3).map(tuple),
    seed=st.integers(0, 1000),
    folds=st.integers(2, 20),
    test_share=st.floats(0.01, 0.5),
    columns=st.dictionaries(NAMES, PLANS, max_size=4),
    thresholds=st.dictionaries(
        st.sampled_from(["capacity_per_week", "value", "cost_mql"]), st.floats(0.1, 1e6)
    ),
    silence=st.dictionaries(NAMES, NAMES.filter(str.strip), max_size=2),
)


@given(CONFIGS, st.dictionaries(NAMES, TEXT, max_size=3))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, config: TrainConfig, notes: dict):
    """Whatever is written, comments and strange names included, is read back the same."""
    path = tmp_path_factory.getbasetemp() / "round_trip.toml"
    notes |= dict.fromkeys(config.columns, "said\nin \x00 two lines # here")
    path.write_text(dump_config(config, notes), encoding="utf-8", newline="")
    assert load_config(path) == config
    assert TrainConfig.from_dict(config.as_dict()) == config


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('tarjet = "y"', "did you mean 'target'"),
        ('[columns]\nage = { roll = "fit" }', "did you mean 'role'"),
        ('[columns]\nage = { role = "fitness" }', "columns.age.role"),
        ("[columns]\nage = 3", "columns.age"),
        ("[thresholds]\ncapacity = 3", "did you mean 'capacity_per_week'"),
        ("[thresholds]\nmql_precision = 15", "thresholds.mql_precision"),
        ('[thresholds]\nvalue = "much"', "thresholds.value"),
        ('[silence]\nLML001 = ""', "silence.LML001"),
        ("folds = 1", "folds"),
        ("folds = true", "folds"),
        ("horizon_days = 0", "horizon_days"),
        ("test_share = 0.9", "test_share"),
        ("test_share = nan", "test_share"),
        ("target = 3", "target"),
        ("drop = 3", "drop"),
        ("columns = 3", "columns"),
        ('target = "y', "not valid TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, named: str):
    """A typo, a wrong type or an impossible value dies with the key named."""
    path = tmp_path / "leadml.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert named in caught.value.sentence()
    assert caught.value.fix


def test_missing_file(tmp_path: Path):
    """A configuration that is not there is a missing file, with the command that writes one."""
    with pytest.raises(FileMissing) as caught:
        load_config(tmp_path / "leadml.toml")
    assert "leadml init" in caught.value.sentence()


def test_options_override():
    """Options of a command win over the file, unset ones change nothing, drops add up."""
    config = TrainConfig(target="a", seed=3, drop=("x",), thresholds={"value": 9.0})
    changed = config.with_options(target="b", seed=None, drop=["y, z"], mql_precision=0.2)
    assert (changed.target, changed.seed) == ("b", 3)
    assert changed.drop == ("x", "y, z")
    assert changed.thresholds == {"value": 9.0, "mql_precision": 0.2}
    assert config.thresholds == {"value": 9.0}
    with pytest.raises(ConfigError, match="did you mean 'horizon_days'"):
        config.with_options(horizon=90)


def test_outcomes_are_meant_from_the_files_folder(tmp_path: Path):
    """A relative path of the second table is looked for beside leadml.toml."""
    (tmp_path / "leadml.toml").write_text('outcomes = "deals.csv"')
    assert load_config(tmp_path / "leadml.toml").outcomes == str(tmp_path / "deals.csv")


def test_dropped_gathers_every_way_of_saying_so():
    """Availability after, and roles that never learn, drop a column like `drop` does."""
    config = TrainConfig(
        drop=("a",),
        columns={
            "b": ColumnPlan(availability=Availability.AFTER),
            "c": ColumnPlan(role=Role.IGNORE),
            "d": ColumnPlan(role=Role.FIT, kind=Kind.CATEGORY),
        },
    )
    assert config.dropped == ("a", "b", "c")
    assert config.as_text == ("d",)


@pytest.mark.parametrize(
    ("thresholds", "basis"),
    [
        ({}, "capacity"),
        ({"capacity_per_week": 40.0, "cost_mql": 0.0}, "capacity"),
        ({"sql_precision": 0.3, "capacity_per_week": 40.0}, "precision"),
        ({"value": 100.0, "mql_precision": 0.3}, "value"),
    ],
)
def test_the_strongest_wish_decides(thresholds: dict, basis: str):
    """Value outranks precision, precision outranks capacity, nothing means capacity."""
    assert TrainConfig(thresholds=thresholds).threshold_basis == basis


def test_a_positive_value_may_be_bare():
    """`positive = 1` and `positive = true` mean the words that the column holds."""
    assert TrainConfig.from_dict({"positive": 1}).positive == "1"
    assert TrainConfig.from_dict({"positive": True}).positive == "true"
