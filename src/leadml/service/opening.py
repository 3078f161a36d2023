"""The memory and the policy, opened for as long as a command works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leadml.errors import FileMissing
from leadml.service.memory import Memory
from leadml.service.policies import Policies
from leadml.service.serving import Serving
from leadml.settings import Settings

__all__ = ["opened_memory", "opened_policies"]


@contextmanager
def opened_memory(settings: Settings, *, make: bool = True) -> Iterator[Memory]:
    """The memory that the settings name, its tables brought to this version; closed at the end.

    Parameters
    ----------
    make
        Make an SQLite file that is not there.

    Raises
    ------
    FileMissing
        The file is not there, and none is to be made.
    MemoryOff, StoreUnavailable, StoreError, ConfigError
        It is switched off, does not answer or belongs to a later leadml.
    """
    url = settings.database_url
    path = Path(url.removeprefix("sqlite:///"))
    if not make and url.startswith("sqlite:///") and not path.exists():
        raise FileMissing(
            f"there is no memory '{path}'",
            fix="leadml serve makes one; or correct LEADML_DATABASE_URL",
        )
    memory = Memory(settings)
    try:
        memory.open()
        yield memory
    finally:
        memory.close()


@contextmanager
def opened_policies(settings: Settings, *, make: bool = True) -> Iterator[Policies]:
    """The policy of the champion, to be looked at, tried and changed.

    Its ``memory`` is opened as by :func:`opened_memory`, and its ``serving`` holds the
    champion under the newest version of the policy, where there is a champion.
    """
    with opened_memory(settings, make=make) as memory:
        serving = Serving.of(settings, trial=False)
        serving.refresh()
        serving.follow_policy(memory.policy)
        serving.refresh_policy()
        yield Policies(memory, serving)
