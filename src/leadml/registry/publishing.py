"""Folders put in place whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from leadml.errors import ConfigError

__all__ = ["publish"]

_TEMPORARY: Final = ".writing-"
_DISCARDED: Final = ".discarded-"
_LEFT_BEHIND_S: Final = 3600.0


def publish(target: Path, files: Mapping[str, bytes]) -> None:
    """Put a folder in place by one rename, so that no reader sees half of it.

    Where a folder is replaced there is nothing for an instant, never a mixture.
    """
    parent = target.parent
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent)
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ConfigError(f"{target} is in the way", fix="name a folder for the bundle")
    mark = f"{os.getpid()}-{secrets.token_hex(4)}"
    fresh = parent / f"{_TEMPORARY}{target.name}-{mark}"
    fresh.mkdir()
    try:
        for name, data in files.items():
            with (fresh / name).open("xb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
        _sync(fresh)
        if target.exists():
            old = parent / f"{_DISCARDED}{target.name}-{mark}"
            target.rename(old)
            fresh.rename(target)
            shutil.rmtree(old)
        else:
            fresh.rename(target)
        _sync(parent)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _sweep(parent: Path) -> None:
    """Remove what writers killed long ago have left behind."""
    for prefix in (_TEMPORARY, _DISCARDED):
        for old in parent.glob(f"{prefix}*"):
            try:
                if time.time() - old.stat().st_mtime > _LEFT_BEHIND_S:
                    shutil.rmtree(old)
            except FileNotFoundError:
                continue  # another writer swept it


def _sync(folder: Path) -> None:
    """Make a folder's entries last; where folders cannot be opened (Windows) they do anyway."""
    if os.name == "nt":  # pragma: no cover
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
