"""The memory as a server holds it: off, not yet there, back again."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadml.errors import ConfigError, MemoryOff, StorageFull, StoreUnavailable
from leadml.service.memory import Memory, found_by_recording
from leadml.settings import Settings
from leadml.store import Recorded
from leadml.store.records import Stage
from tests import stored


def memory_of(folder: Path, **more: object) -> Memory:
    """A memory over a database that may not be there."""
    url = f"sqlite:///{folder / 'leadml.db'}"
    return Memory(Settings(database_url=url, database_wait_s=0.2, **more))


def test_memory_that_is_off() -> None:
    """It needs no key, has no problem and refuses whatever needs it."""
    memory = Memory(Settings(database_url=""))
    memory.look()
    assert (memory.is_on, memory.guarded, memory.problem) == (False, False, None)
    with pytest.raises(MemoryOff):
        memory.require()


def test_database_that_comes_late(tmp_path: Path) -> None:
    """Until it answers nobody is let in by mistake; then the tables are made by themselves."""
    memory = memory_of(tmp_path / "later")
    memory.look()
    assert memory.guarded is None
    with pytest.raises(StoreUnavailable):
        memory.require()
    (tmp_path / "later").mkdir()
    memory.look()
    assert (memory.guarded, memory.problem) == (False, None)
    memory.require().check()
    memory.close()


def test_failed_write_is_tried_before_all_is_well(tmp_path: Path) -> None:
    """After a write failed, reading alone does not make the memory sound again."""
    memory = memory_of(tmp_path)
    store = memory.open()
    memory.suspect(StorageFull("full"))
    with stored.locked(f"sqlite:///{tmp_path / 'leadml.db'}"):
        assert store.counts()["leads"] == 0
        memory.look()
        assert memory.problem is not None
    memory.look()
    assert memory.problem is None
    memory.suspect(ConfigError("no fault of the database"))
    assert memory.problem is None
    memory.close()


def test_emptied_database_is_filled_with_tables_and_opens_no_door(tmp_path: Path) -> None:
    """A file replaced by an empty one gets its tables; who needed a key needs one still."""
    memory = memory_of(tmp_path)
    memory.open().create_key("crm", ["read"])
    memory.look()
    assert memory.guarded is True
    for left in tmp_path.iterdir():
        left.unlink()
    memory.look()
    assert isinstance(memory.problem, StoreUnavailable)
    assert not (tmp_path / "leadml.db").exists()
    (tmp_path / "leadml.db").touch()
    for _ in range(3):
        memory.look()
    assert memory.problem is None
    assert memory.require().counts()["leads"] == 0
    assert memory.guarded is True
    memory.close()


def test_closed_memory_opens_again(tmp_path: Path) -> None:
    """What was written is there after another opening."""
    memory = memory_of(tmp_path)
    memory.open().record_decisions([stored.decision("L1")])
    memory.close()
    with pytest.raises(StoreUnavailable):
        memory.require()
    assert memory.open().lead("L1") is not None
    memory.close()


@pytest.mark.parametrize(
    ("deal", "worth"),
    [
        (5000, 5000.0),
        ("12.5", 12.5),
        (0, 0.0),
        (None, 7.0),
        ("n/a", 7.0),
        (-1, 7.0),
        (True, 7.0),
        (float("inf"), 7.0),
        ([1], 7.0),
    ],
)
def test_worth_of_a_lead(tmp_path: Path, deal: object, worth: float) -> None:
    """Its field counts where it holds a number that can be an amount, else the setting."""
    memory = memory_of(tmp_path, value_field="deal", lead_value=7)
    assert memory.value_of({"deal": deal}) == worth
    assert memory.value_of({}) == 7.0


def test_what_recording_finds() -> None:
    """Who may be told so learns that a lead was erased, or may not be contacted."""
    kept = Recorded("dec_1", Stage.SAL, Stage.SAL)
    assert found_by_recording(kept) == []
    gone = Recorded("dec_1", Stage.MQL, Stage.MQL, kept=False, may_contact=False)
    assert [warned.code for warned in found_by_recording(gone)] == ["lead_erased", "no_contact"]
