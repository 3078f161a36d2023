"""Bundles: canonical, whole, verified before they are parsed."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.errors import BundleError, BundleRejected, LeadmlError
from leadml.registry.bundle import (
    LIMITS,
    canonical,
    copy_bundle,
    golden_rows,
    read_bundle,
    write_bundle,
)
from leadml.scorecard import Scorer
from tests import hand_made
from tests.hand_made import reseal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound bundle."""
    hand_made.bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_what_is_read_scores_as_what_was_written(folder: Path) -> None:
    """A scorecard read from a bundle gives every lead the same bits."""
    read = Scorer(read_bundle(folder).scorecard).many(hand_made.leads(300, seed=9))
    made = Scorer(hand_made.scorecard()).many(hand_made.leads(300, seed=9))
    assert (read.log_odds == made.log_odds).all()
    assert (read.contributions == made.contributions).all()
    assert (read.score == made.score).all()


def test_policy_facts_and_card_come_back(folder: Path) -> None:
    """Policy, facts and card are read as they were written, but for what passes."""
    bundle = read_bundle(folder)
    assert bundle.policy == hand_made.policy()
    assert bundle.card == "# leads\n"
    assert bundle.name == "leads"
    assert bundle.metrics["metrics"] == hand_made.facts()["metrics"]
    assert bundle.metrics["model"] == {"name": "leads", "seed": 0}
    assert bundle.metrics["examples"] == [{"lead_id": "L1", "probability": 0.31}]
    assert bundle.made["source"] == "leads.csv"
    assert bundle.made["seconds"] == 12.5
    assert bundle.made["libraries"]["numpy"] == np.__version__
    assert bundle.manifest["windows"]["horizon_days"] == 60
    assert {path.name for path in folder.iterdir()} == set(LIMITS)


def test_the_digest_outlives_time_place_and_card(tmp_path: Path) -> None:
    """The same model made later, elsewhere, with another card text has the same digest."""
    first = hand_made.bundle(tmp_path / "a")
    facts = hand_made.facts(created_at="2027-01-01T00:00:00Z")
    facts["model"].update(run_id="r2", version="9", seconds=99.0)
    facts["data"]["source"] = "elsewhere/leads.csv"
    card = hand_made.scorecard()
    second = write_bundle(
        tmp_path / "b",
        scorecard=card,
        policy=hand_made.policy(),
        metrics=facts,
        golden=golden_rows(card, hand_made.policy(), hand_made.leads(40)),
        card="# leads, trained in 2027\n",
    )
    assert first == second == read_bundle(tmp_path / "b").digest


@pytest.mark.parametrize("change", ["base", "seed", "verdict"])
def test_the_digest_tells_models_apart(tmp_path: Path, change: str) -> None:
    """Another scorecard, another seed or another finding gives another digest."""
    first = hand_made.bundle(tmp_path / "a")
    changed: dict[str, dict[str, Any]] = {
        "base": {"base": math.nextafter(-2.0, 0.0)},
        "seed": {"seed": 1},
        "verdict": {"word": "rank"},
    }
    assert hand_made.bundle(tmp_path / "b", **changed[change]) != first


json_data = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@given(json_data)
def test_canonical_bytes_keep_every_bit(data: Any) -> None:
    """Plain data survives the canonical spelling, and is spelled the same again."""
    spelled = canonical(data)
    assert orjson.loads(spelled) == data
    assert canonical(orjson.loads(spelled)) == spelled


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({"a": [1.0, math.nan]}, "/a/1"),
        ({"a": np.float64("inf")}, "/a"),
        ({"a": np.array([1.0, -np.inf])}, "/a/1"),
        ({1: 2}, "/"),
        ({"a": object()}, "/a"),
        ({"a": 2**70}, "64-bit"),
        ({"a": "\ud800"}, "utf"),
    ],
)
def test_what_json_cannot_say_is_refused(data: Any, where: str) -> None:
    """Neither NaN nor infinity nor foreign objects become null in silence."""
    with pytest.raises(BundleError, match=f"(?i){where}"):
        canonical(data)


# --- golden rows ---------------------------------------------------------------


def test_golden_rows_are_no_real_leads() -> None:
    """Fields are mixed between leads, and what the model does not read stays out."""
    leads = [
        {"lead_id": f"L{i}", "industry": "Retail", "employees": i, "pricing_page_views_30d": i}
        for i in range(64)
    ]
    rows = [row["lead"] for row in golden_rows(hand_made.scorecard(), hand_made.policy(), leads)]
    assert len(rows) == 34
    assert rows[0] == {}
    assert all(
        row.keys() == {"industry", "employees", "pricing_page_views_30d"} for row in rows[2:]
    )
    assert all(row["employees"] != row["pricing_page_views_30d"] for row in rows[2:])


def test_golden_rows_take_what_frames_hold() -> None:
    """Numpy numbers, missing marks and times are written as a caller would send them."""
    leads = [
        {
            "industry": None,
            "employees": np.int64(7),
            "source": float("nan"),
            "pricing_page_views_30d": np.datetime64("NaT"),
        }
    ]
    rows = golden_rows(hand_made.scorecard(), hand_made.policy(), leads)
    assert rows[-1]["lead"] == {"employees": 7}


def test_wrong_golden_rows_are_never_written(tmp_path: Path) -> None:
    """A bundle whose golden rows do not fit its scorecard is refused, leaving nothing behind."""
    golden = golden_rows(hand_made.scorecard(-2.1), hand_made.policy(), hand_made.leads(9))
    with pytest.raises(BundleRejected, match="golden rows get another answer"):
        write_bundle(
            tmp_path / "b",
            scorecard=hand_made.scorecard(),
            policy=hand_made.policy(),
            metrics=hand_made.facts(),
            golden=golden,
            card="",
        )
    assert not list(tmp_path.iterdir())


def test_a_bundle_without_golden_rows_is_refused(folder: Path) -> None:
    """Nothing proves a bundle without golden rows."""
    reseal(folder, "golden.json", b"[]\n")
    with pytest.raises(BundleRejected, match="no golden rows"):
        read_bundle(folder)


def test_other_answers_are_rejected(folder: Path) -> None:
    """A bundle sealed again around a changed scorecard fails on its golden rows."""
    data = json.loads((folder / "scorecard.json").read_bytes())
    data["columns"][0]["level"][1] += 1e-6
    reseal(folder, "scorecard.json", canonical(data))
    with pytest.raises(BundleRejected, match="log_odds is"):
        read_bundle(folder)


# --- damage ----------------------------------------------------------------------


def test_every_flipped_byte_is_found(folder: Path, tmp_path: Path) -> None:
    """Flip one byte anywhere: refused before the file is parsed."""
    rng = np.random.default_rng(3)
    digest = read_bundle(folder).digest
    names = sorted(LIMITS)
    for i in range(200):
        copy = tmp_path / f"flip{i}"
        shutil.copytree(folder, copy)
        path = copy / names[i % len(names)]
        data = bytearray(path.read_bytes())
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(data))
        with pytest.raises(BundleError):
            read_bundle(copy, digest=digest)
        shutil.rmtree(copy)


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_absent_cut_and_swelled_files_are_found(folder: Path, name: str) -> None:
    """A file removed, cut short, lengthened, made a link or a folder is refused."""
    path = folder / name
    data = path.read_bytes()
    path.unlink()
    with pytest.raises(BundleError, match="lacks"):
        read_bundle(folder)
    for changed in (data[:-1], data[: len(data) // 2], b"", data + b" "):
        path.write_bytes(changed)
        with pytest.raises(BundleError):
            read_bundle(folder)
    path.unlink()
    (folder.parent / "outside").write_bytes(data)
    path.symlink_to(folder.parent / "outside")
    with pytest.raises(BundleError, match="no bundle holds"):
        read_bundle(folder)
    path.unlink()
    path.mkdir()
    with pytest.raises(BundleError, match="no bundle holds"):
        read_bundle(folder)


@pytest.mark.parametrize("name", ["model.pkl", "code", "../x", ".hidden", "MANIFEST.JSON"])
def test_what_no_bundle_holds_is_refused(folder: Path, name: str) -> None:
    """Any other name in the folder spoils the bundle."""
    if name == "code":
        (folder / name).mkdir()
    elif name == "../x":
        reseal(folder, "card.md", b"x\n", files={"../x": {"bytes": 0, "sha256": ""}})
    else:
        (folder / name).write_bytes(b"")
    with pytest.raises(BundleError):
        read_bundle(folder)


def test_a_linked_folder_is_refused(folder: Path) -> None:
    """A bundle reached through a symbolic link is none."""
    link = folder.parent / "link"
    link.symlink_to(folder, target_is_directory=True)
    with pytest.raises(BundleError, match="no folder"):
        read_bundle(link)


def test_too_large_a_file_is_not_read(folder: Path) -> None:
    """A file beyond its limit is refused after the limit, however large it is."""
    with (folder / "policy.json").open("wb") as file:
        file.truncate(5 * 10**9)  # sparse
    start = time.perf_counter()
    with pytest.raises(BundleError, match="larger than"):
        read_bundle(folder)
    assert time.perf_counter() - start < 1.0


def test_the_promised_digest_is_asked_for(folder: Path) -> None:
    """A sound bundle that is not the promised one is rejected."""
    digest = read_bundle(folder).digest
    assert read_bundle(folder, digest=digest).digest == digest
    with pytest.raises(BundleRejected, match="promised"):
        read_bundle(folder, digest="0" * 64)


FOREIGN: list[tuple[str, bytes]] = [
    ("scorecard.json", b"{}\n"),
    ("scorecard.json", b"[]\n"),
    ("scorecard.json", b'{"base":1e999}\n'),
    ("scorecard.json", b"[" * 5000),
    ("schema.json", b'{"columns":[]}\n'),
    ("schema.json", b'{"columns":{"a":1}}\n'),
    ("policy.json", b'{"version":"1","mql":0.5,"sql":0.1}\n'),
    ("policy.json", b'{"version":"1","mql":"x","sql":0.1}\n'),
    ("golden.json", b"{}\n"),
    ("golden.json", b"null\n"),
    ("golden.json", b'[{"lead":{}}]\n'),
    ("golden.json", b'[{"lead":[],"expected":{}}]\n'),
    ("golden.json", b'[{"lead":{"employees":"many"},"expected":{}}]\n'),
    ("golden.json", b'[{"lead":{},"expected":{}}]\n'),
    ("metrics.json", b"3\n"),
    ("card.md", b"\xff\xfe"),
]


@pytest.mark.parametrize(("name", "data"), FOREIGN)
def test_foreign_content_is_a_named_error(folder: Path, name: str, data: bytes) -> None:
    """Well-sealed nonsense gives an error of leadml, never another exception."""
    reseal(folder, name, data)
    with pytest.raises(BundleError):
        read_bundle(folder)


def edit(*path: Any) -> Any:
    """An edit of the scorecard: the last argument replaces what the others lead to."""
    *way, last, value = path

    def change(data: Any) -> None:
        for step in way:
            data = data[step]
        data[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        edit("columns", 0, "missing_bin", 99),
        edit("columns", 0, "missing_bin", -1),
        edit("columns", 0, "level_bins", [0, 1, 77]),
        edit("columns", 1, "thresholds", [10.0, 9.0, 1000.0]),
        edit("columns", 1, "thresholds", [float(i) for i in range(50)]),
        edit("columns", 1, "thresholds", [[1.0], [2.0]]),
        edit("columns", 1, "share", [1.0]),
        edit("columns", 1, "level", []),
        edit("columns", 1, "level", None),
        edit("pairs", 0, "first", -1),
        edit("pairs", 0, "first", 9),
        edit("pairs", 0, "cells", [[1.0]]),
        edit("reference", "score", [1.0, 0.0]),
        edit("base", "NaN"),
        edit("base", None),
    ],
)
def test_tables_that_do_not_fit_are_refused(folder: Path, change: Any) -> None:
    """Bins out of range, unordered thresholds and other tables never reach a scorer."""
    data = json.loads((folder / "scorecard.json").read_bytes())
    change(data)
    reseal(folder, "scorecard.json", canonical(data))
    with pytest.raises(BundleError):
        read_bundle(folder)


@pytest.mark.parametrize(
    "spelled",
    [
        b"{}",
        b"",
        b"null",
        b"\xef\xbb\xbf{}",
        b'{"format":1,"format":1}',
        b'{"a":' * 1000 + b"1" + b"}" * 1000,
        b'{"format":2}\n',
    ],
)
def test_a_foreign_manifest_is_refused(folder: Path, spelled: bytes) -> None:
    """A manifest that is no manifest gives a named error."""
    (folder / "manifest.json").write_bytes(spelled)
    with pytest.raises(BundleError):
        read_bundle(folder)


def test_a_manifest_spelled_otherwise_is_refused(folder: Path) -> None:
    """Spaces or a key said twice make another spelling, which is refused."""
    path = folder / "manifest.json"
    data = json.loads(path.read_bytes())
    path.write_text(json.dumps(data, indent=1))
    with pytest.raises(BundleError, match="canonically"):
        read_bundle(folder)


def test_another_format_says_so(folder: Path) -> None:
    """A bundle of a later format is refused with that reason."""
    reseal(folder, "card.md", b"x\n", format=2)
    with pytest.raises(BundleError, match="format 2"):
        read_bundle(folder)


# --- copying, writing over, being killed -------------------------------------------


def test_a_copy_replaces_a_damaged_one(folder: Path, tmp_path: Path) -> None:
    """A verified copy takes the place of a damaged bundle; a damaged source changes nothing."""
    target = tmp_path / "models" / "1"
    copied = copy_bundle(folder, target)
    (target / "card.md").write_text("changed")
    assert copy_bundle(folder, target).digest == copied.digest
    (folder / "card.md").write_text("changed")
    with pytest.raises(BundleError):
        copy_bundle(folder, target)
    assert read_bundle(target).digest == copied.digest
    assert [path.name for path in target.parent.iterdir()] == ["1"]


def test_old_remains_of_killed_writers_are_swept(folder: Path) -> None:
    """What a writer killed an hour ago left behind goes; what is young stays."""
    old, young = folder.parent / ".writing-1-a", folder.parent / ".writing-2-b"
    old.mkdir()
    young.mkdir()
    os.utime(old, (time.time() - 7200,) * 2)
    hand_made.bundle(folder)
    assert not old.exists()
    assert young.exists()


KILLED_AT_EVERY_LINE = """
import os, shutil, sys
from pathlib import Path
from leadml.registry import bundle
from tests import hand_made

folder = Path(sys.argv[1])
hand_made.bundle(folder / "source")


def write(lines):
    left = lines

    def trace(frame, event, _):
        nonlocal left
        left -= event == "line" and frame.f_code.co_filename == bundle.__file__
        if left < 0:
            os._exit(1)
        return trace

    sys.settrace(trace)
    bundle._publish(folder / "target", files)
    os._exit(0)


files = {path.name: path.read_bytes() for path in (folder / "source").iterdir()}
lines, done = 0, False
while not done:
    child = os.fork()
    if not child:
        write(lines)
    done = os.waitpid(child, 0)[1] == 0
    if (folder / "target").exists():
        bundle.read_bundle(folder / "target")
    for left in folder.glob(".*"):
        shutil.rmtree(left)
    lines += 1
print(lines)
"""


def test_writers_killed_at_any_line_leave_no_half_bundle(tmp_path: Path) -> None:
    """A writer that dies at any of its lines leaves nothing, or a sound bundle."""
    found = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EVERY_LINE, str(tmp_path)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr
    assert 50 < int(found.stdout) < 5000
    read_bundle(tmp_path / "target")


def test_errors_name_no_value_at_length(folder: Path) -> None:
    """A hostile bundle cannot fill the log: its error stays short."""
    reseal(folder, "policy.json", canonical({"version": "1", "mql": "x" * 100_000, "sql": 0.1}))
    with pytest.raises(LeadmlError) as refused:
        read_bundle(folder)
    assert len(refused.value.sentence()) < 600
