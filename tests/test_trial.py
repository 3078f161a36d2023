"""Bundles tried in a child process: limits hold, what passed is remembered."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from leadml.errors import NoModel
from leadml.leads.schema import Column, Schema
from leadml.leads.vocabulary import Kind, Role
from leadml.registry import champion as following
from leadml.registry import trial
from leadml.registry.aliases import Named
from leadml.registry.champion import Champion, write_pointer
from leadml.registry.child import Child
from leadml.registry.layout import canonical
from leadml.registry.signing import PublicKeys, create_keys
from leadml.registry.trial import Limits, is_proven, remember
from leadml.scorecard import ColumnTable, Scorecard
from tests import hand_made

PATIENT = Limits(seconds=60.0)


def local(models: Path, version: str, base: float = -2.0, **more: Path) -> Named:
    """A version in the models folder that nobody has tried."""
    return Named(version, hand_made.bundle(models / "leads" / version, base=base, **more))


def busy(folder: Path, columns: int = 20_000) -> str:
    """Well sealed, and some seconds of work for its reader, whatever it says then; the digest."""
    hand_made.bundle(folder)
    table = ColumnTable(
        thresholds=np.array([1.0]),
        level_bins=(),
        pooled_bin=2,
        unseen_bin=2,
        missing_bin=2,
        level=np.zeros(3),
        slope=np.zeros(3),
        clip=(0.0, 1.0),
        share=np.full(3, 1 / 3),
    )
    schema = Schema(
        columns=tuple(Column(f"c{i}", Kind.NUMBER, Role.FIT) for i in range(columns)),
        known=(),
        id_field="",
        target="y",
        positive="1",
    )
    whole = Scorecard(schema, -2.0, (table,) * columns).as_dict()
    hand_made.reseal(folder, "schema.json", canonical(whole.pop("schema")))
    return hand_made.reseal(folder, "scorecard.json", canonical(whole))


def ended(child: Child) -> str:
    """What a child says in the end."""
    while (said := child.said(1.0)) is None:
        pass
    return said


def test_what_passes_is_remembered(tmp_path: Path) -> None:
    """A first start tries the bundle in a child, the next one reads it at once."""
    named = local(tmp_path, "1")
    write_pointer(tmp_path, "leads", named)
    first = Champion(tmp_path, "leads", trial_limits=PATIENT)
    while not first.poll():
        assert first.last_error is None
    assert is_proven(tmp_path / "leads", named.digest)
    started = time.perf_counter()
    assert Champion(tmp_path, "leads", trial_limits=Limits(seconds=0.0)).current()[0] == "1"
    assert time.perf_counter() - started < 0.5


def test_the_old_one_answers_while_the_new_one_is_tried(tmp_path: Path) -> None:
    """A look does not wait for a trial; a slow one is ended, named and not tried again."""
    first = local(tmp_path, "1")
    remember(tmp_path / "leads", first.digest)
    write_pointer(tmp_path, "leads", first)
    champion = Champion(tmp_path, "leads", trial_limits=Limits(seconds=1.5))
    champion.poll()
    write_pointer(tmp_path, "leads", Named("2", busy(tmp_path / "leads" / "2")))
    looks = []
    while champion.last_error is None:
        start = time.perf_counter()
        assert not champion.poll()
        looks.append(time.perf_counter() - start)
        assert champion.current()[0] == "1"
        assert sum(looks) < 30
        time.sleep(0.05)
    assert len(looks) > 5
    assert sorted(looks)[len(looks) // 2] < 0.1
    assert "version 2 is not served: tried in a process of its own" in champion.last_error
    assert "took longer than 1.5 s" in champion.last_error
    assert champion.rejected == {"bundle_rejected": 1}
    for _ in range(5):
        assert not champion.poll()
    assert champion.rejected == {"bundle_rejected": 1}


def test_a_start_does_not_wait_long_for_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing to serve a look waits a little, then says so; closing ends the trial."""
    monkeypatch.setattr(following, "FIRST_WAIT_S", 0.02)
    write_pointer(tmp_path, "leads", Named("1", busy(tmp_path / "leads" / "1", 200)))
    champion = Champion(tmp_path, "leads", trial_limits=PATIENT)
    start = time.perf_counter()
    with pytest.raises(NoModel):
        champion.current()
    assert time.perf_counter() - start < 2.0
    (child,) = champion._trials.values()
    champion.close()
    assert child._child.returncode == -9


def test_a_child_that_cannot_be_started_is_said_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that starts no process ends no server: the old version answers, with the reason."""
    first, second = local(tmp_path, "1"), local(tmp_path, "2", -1.5)
    remember(tmp_path / "leads", first.digest)
    write_pointer(tmp_path, "leads", first)
    champion = Champion(tmp_path, "leads", trial_limits=PATIENT)
    champion.poll()
    write_pointer(tmp_path, "leads", second)
    with monkeypatch.context() as without:
        without.setattr(sys, "executable", str(tmp_path / "no-python"))
        assert not champion.poll()
        assert "trying it cannot be started" in str(champion.last_error)
        assert champion.current()[0] == "1"
        lost = Champion(tmp_path, "leads", f"sqlite:///{tmp_path}/none.db")
        write_pointer(tmp_path, "leads", Named("3", "0" * 64))
        assert not lost.poll()
        assert "fetching it cannot be started" in str(lost.last_error)
    write_pointer(tmp_path, "leads", second)
    while not champion.poll():
        time.sleep(0.05)
    assert champion.current()[0] == "2"
    assert champion.last_error is None


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited by Linux alone")
def test_memory_is_limited(tmp_path: Path) -> None:
    """A bundle that takes more memory than allowed fails its trial."""
    folder = tmp_path / "bundle"
    digest = hand_made.bundle(folder)
    assert ended(trial.start(folder, digest, limits=PATIENT)) == ""
    assert ended(trial.start(folder, digest, limits=Limits(60.0, memory_bytes=10_000_000)))


def test_a_refusal_says_why(tmp_path: Path) -> None:
    """The sentence of the child is that of the reader: code, fault, rows."""
    folder = tmp_path / "bundle"
    hand_made.bundle(folder)
    policy = hand_made.policy().as_dict() | {"mql": 0.3}
    digest = hand_made.reseal(folder, "policy.json", canonical(policy))
    said = ended(trial.start(folder, digest))
    assert said.startswith("bundle_rejected: ")
    assert "golden rows get another answer" in said


def test_a_crash_is_a_refusal() -> None:
    """A child that dies of a signal has not passed."""
    program = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    child = Child([sys.executable, "-c", program], dict(os.environ), limit_s=20, what="trying it")
    assert ended(child) == "trying it was ended by signal 11"


def test_only_signed_bundles_pass_where_signatures_count(tmp_path: Path) -> None:
    """The child verifies with the server's key; an unsigned bundle never reaches it."""
    private, public = create_keys(tmp_path / "keys")
    keys = PublicKeys.of(public)
    signed = local(tmp_path, "1", signing_key=private)
    assert ended(trial.start(tmp_path / "leads" / "1", signed.digest, keys)) == ""
    unsigned = local(tmp_path, "2", -1.5)
    assert "not signed" in ended(trial.start(tmp_path / "leads" / "2", unsigned.digest, keys))
    write_pointer(tmp_path, "leads", unsigned)
    champion = Champion(tmp_path, "leads", keys=keys, trial_limits=PATIENT)
    with pytest.raises(NoModel, match="not signed"):
        champion.current()
    assert champion._trials == {}
    assert champion.rejected == {"bundle_unsigned": 1}


@pytest.mark.skipif(sys.platform != "linux", reason="another process is looked into")
def test_the_child_knows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords and keys in the server's environment are not the child's."""
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "geheim")
    monkeypatch.setenv("LEADML_SIGNING_KEY", "geheim")
    child = trial.start(tmp_path, "0" * 64)
    place, environment = Path(f"/proc/{child._child.pid}/environ"), b""
    while not environment and child.said() is None:  # empty until the program has begun
        environment = place.read_bytes()
    child.stop()
    assert b"PATH=" in environment
    assert b"geheim" not in environment


def test_the_working_directory_lends_no_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules lying where the server was started are not imported by the child."""
    folder = tmp_path / "bundle"
    digest = hand_made.bundle(folder)
    for name in ("leadml", "numpy", "orjson", "argparse", "sitecustomize", "json"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    assert ended(trial.start(folder, digest)) == ""
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\x00", b'{"proven":3}', b'{"proven":[3]}', b" " * 200_000]
)
def test_a_damaged_memory_is_no_memory(tmp_path: Path, content: bytes) -> None:
    """What cannot be read as a memory proves nothing, and is written anew."""
    (tmp_path / "proven.json").write_bytes(content)
    assert not is_proven(tmp_path, "a" * 64)
    remember(tmp_path, "a" * 64)
    remember(tmp_path, "b" * 64)
    assert is_proven(tmp_path, "a" * 64)
    assert is_proven(tmp_path, "b" * 64)
    assert [path.name for path in tmp_path.iterdir()] == ["proven.json"]


def test_another_leadml_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one version of leadml has proven says nothing about the next."""
    remember(tmp_path, "a" * 64)
    monkeypatch.setattr(trial.leadml, "__version__", "99.0")
    assert not is_proven(tmp_path, "a" * 64)


def test_a_forged_memory_opens_no_door(tmp_path: Path) -> None:
    """A bundle said to be proven is verified and tried on its golden rows all the same."""
    folder = tmp_path / "leads" / "1"
    hand_made.bundle(folder)
    policy = hand_made.policy().as_dict() | {"mql": 0.3}
    digest = hand_made.reseal(folder, "policy.json", canonical(policy))
    remember(tmp_path / "leads", digest)
    write_pointer(tmp_path, "leads", Named("1", digest))
    with pytest.raises(NoModel, match="golden rows get another answer"):
        Champion(tmp_path, "leads", trial_limits=PATIENT).current()


def test_a_folder_that_cannot_be_written_is_served(tmp_path: Path) -> None:
    """Where nothing can be remembered the bundle is tried at each start, and served."""
    named = local(tmp_path, "1")
    write_pointer(tmp_path, "leads", named)
    (tmp_path / "leads" / "proven.json").mkdir()
    champion = Champion(tmp_path, "leads", trial_limits=PATIENT)
    while not champion.poll():
        assert champion.last_error is None
    assert champion.current()[0] == "1"
    assert not is_proven(tmp_path / "leads", named.digest)
