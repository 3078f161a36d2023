"""leadml.training.checking."""

import numpy as np
import pandas as pd
from scipy.special import expit

from leadml.leads import Role
from leadml.training.checking import check_history, roles_of
from leadml.training.config import ColumnPlan, TrainConfig
from leadml.training.labels import label
from leadml.training.selecting import select_columns


def leads(n=1500, seed=0):
    """A small CRM export with an id, dates, honest columns and a leak."""
    rng = np.random.default_rng(seed)
    views = rng.poisson(2, n)
    won = rng.random(n) < expit(-2.0 + 0.4 * views)
    created = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(np.arange(n) * 4, unit="h")
    return pd.DataFrame(
        {
            "lead_id": [f"L{i}" for i in range(n)],
            "created": created,
            "won": np.where(won, "yes", "no"),
            "won_on": [
                (c + pd.Timedelta(days=9)).isoformat() if w else None
                for c, w in zip(created, won, strict=True)
            ],
            "views": views,
            "source": rng.choice(["Ads", "Fair", "Web"], n),
            "call_seconds": np.where(won, 300, 20) + rng.integers(0, 40, n),
            "same": "x",
        }
    )


def checked(config, frame=None, **options):
    """Findings by code."""
    frame = leads() if frame is None else frame
    labels = label(frame, config)
    selection = select_columns(frame, config, labels.known)
    found = check_history(frame, config, labels, selection, **options)
    return {finding.code: finding for finding in found}


PLAIN = TrainConfig(target="won", positive="yes", id="lead_id", created_at="created")


def test_a_leak_blocks_until_it_is_dropped():
    """A column written after the outcome blocks; dropping it leaves nothing that blocks."""
    found = checked(PLAIN)
    assert found["LML001"].blocks
    assert found["LML001"].columns == ("call_seconds",)
    rest = checked(PLAIN.with_options(drop=["call_seconds", "won_on"]))
    assert not [code for code, finding in rest.items() if finding.blocks]


def test_what_people_said_is_respected():
    """Named ids and dropped columns are no findings; what leadml left out is a tip."""
    found = checked(PLAIN)
    assert found["LML010"].status == "passed"
    assert found["LML009"].columns == ("same",)
    assert found["LML005"].severity == "tip"
    assert found["LML005"].columns == ("won_on",)


def test_silence_reaches_the_finding():
    """A reason in the configuration silences its check."""
    config = TrainConfig.from_dict(
        {**PLAIN.as_dict(), "silence": {"LML001:call_seconds": "planned beforehand"}}
    )
    assert checked(config)["LML001"].reason == "call_seconds: planned beforehand"


def test_the_test_is_looked_at():
    """Predictions near perfection and leads on both sides are found."""
    frame = leads()
    frame.loc[1400:, "lead_id"] = frame.loc[:99, "lead_id"].to_numpy()
    rows = np.arange(1200, 1500)
    truth = (frame["won"] == "yes").to_numpy(float)[rows]
    found = checked(
        PLAIN,
        frame,
        learned_rows=np.arange(1200),
        tested_rows=rows,
        tested_probability=0.1 + 0.8 * truth,
    )
    assert found["LML020"].blocks
    assert found["LML007"].status == "found"
    assert found["LML007"].rows[0] == 1401


def test_roles_come_from_every_way_of_saying_them():
    """Options, column plans and dropped columns end in one table of roles."""
    config = TrainConfig(
        target="won",
        id="lead_id",
        order_by="number",
        drop=("notes",),
        columns={"views": ColumnPlan(role=Role.ENGAGEMENT), "team": ColumnPlan(role=Role.GROUP)},
    )
    assert roles_of(config) == {
        "notes": Role.IGNORE,
        "team": Role.GROUP,
        "number": Role.IGNORE,
        "views": Role.ENGAGEMENT,
        "won": Role.OUTCOME,
        "lead_id": Role.ID,
    }
