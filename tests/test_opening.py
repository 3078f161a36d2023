"""leadml.service.opening: memory and policy for as long as a command works."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadml.errors import FileMissing, MemoryOff, NoModel, StoreUnavailable
from leadml.service.opening import opened_memory, opened_policies
from leadml.settings import Settings
from tests import company


def settings_in(folder: Path, database_url: str | None = None) -> Settings:
    """Nothing but the names of places."""
    url = f"sqlite:///{folder / 'leadml.db'}" if database_url is None else database_url
    return Settings(models_dir=str(folder / "models"), tracking_uri="", database_url=url)


def test_looking_back_makes_no_memory(tmp_path: Path) -> None:
    """A command that only reads names the file that is missing and leaves nothing behind."""
    with (
        pytest.raises(FileMissing, match=r"leadml\.db"),
        opened_memory(settings_in(tmp_path), make=False),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_memory_is_made_and_closed_again(tmp_path: Path) -> None:
    """Inside it can be asked, behind the block it cannot; the second time it is there."""
    with opened_memory(settings_in(tmp_path)) as memory:
        assert memory.require().first_decision() is None
    with pytest.raises(StoreUnavailable):
        memory.require()
    with opened_memory(settings_in(tmp_path), make=False) as again:
        assert again.is_on


def test_a_memory_that_is_off_says_so(tmp_path: Path) -> None:
    """Without a database there is nothing to open, whether or not one may be made."""
    for make in (True, False):
        with (
            pytest.raises(MemoryOff),
            opened_memory(settings_in(tmp_path, ""), make=make),
        ):
            pass


def test_a_policy_that_was_written_holds_when_it_is_opened_next(tmp_path: Path) -> None:
    """What one command sets, the next one finds; without a champion there is no policy."""
    settings = company.found(tmp_path, n_leads=0)
    with opened_policies(settings) as policies:
        put = policies.put({"basis": "capacity", "capacity_per_week": 5}, author="anna")
    with opened_policies(settings, make=False) as policies:
        assert policies.current()["plan"]["capacity_per_week"] == 5
        assert policies.current()["policy_version"] == put["policy_version"]
    (tmp_path / "empty").mkdir()
    with (
        opened_policies(settings_in(tmp_path / "empty")) as policies,
        pytest.raises(NoModel),
    ):
        policies.current()
