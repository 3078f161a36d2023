"""The memory as commands open it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadml.store import Store

__all__ = ["opened_store"]


@contextmanager
def opened_store() -> Iterator[Store]:
    """The memory that the settings name, its tables brought to this version.

    Raises
    ------
    MemoryOff, StoreUnavailable, StoreError, ConfigError
        It is switched off, does not answer or belongs to a later leadml.
    """
    from leadml.service.opening import opened_memory
    from leadml.settings import Settings

    with opened_memory(Settings()) as memory:
        yield memory.require()
