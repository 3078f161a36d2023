"""Bundles: canonical, whole, verified before they are parsed."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from leadml.errors import BundleError, BundleRejected, LeadmlError
from leadml.registry.bundle import read_bundle
from leadml.registry.layout import LIMITS, canonical
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


def test_errors_name_no_value_at_length(folder: Path) -> None:
    """A hostile bundle cannot fill the log: its error stays short."""
    reseal(folder, "policy.json", canonical({"version": "1", "mql": "x" * 100_000, "sql": 0.1}))
    with pytest.raises(LeadmlError) as refused:
        read_bundle(folder)
    assert len(refused.value.sentence()) < 600
