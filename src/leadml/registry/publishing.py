"""Files and folders put in place whole or not at all.

What is *staged* lies beside its place under a passing name: lack of room or rights shows
then, before anything else is done that counts on it. One rename puts it in place.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from leadml.errors import ConfigError, FileUnwritable

__all__ = ["publish_file", "publish_folder", "staged_file", "staged_folder"]

_TEMPORARY: Final = ".writing-"
_DISCARDED: Final = ".discarded-"
_LEFT_BEHIND_S: Final = 3600.0


def publish_file(path: Path, data: bytes) -> None:
    """Write a file in one step; an older one of that name is replaced.

    Raises
    ------
    FileUnwritable
        There is no room, or no right to write there.
    """
    with staged_file(path, data) as put:
        put()


def publish_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder of files in one step; an older one of that name is replaced.

    Raises
    ------
    FileUnwritable
        There is no room, or no right to write there.
    ConfigError
        Something that is no folder has that name.
    """
    with staged_folder(target.parent, files) as put:
        put(target.name)


@contextmanager
def staged_file(path: Path, data: bytes) -> Iterator[Callable[[], None]]:
    """Stage a file; calling what is given puts it in place, else it is removed again.

    Raises
    ------
    FileUnwritable
        There is no room, or no right to write there.
    """
    fresh = path.parent / f"{_TEMPORARY}{path.name}-{_mark()}"

    def put() -> None:
        with _named(path):
            fresh.replace(path)
            _sync(path.parent)

    try:
        with _named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(fresh, data)
        yield put
    finally:
        with suppress(OSError):  # gone, or on a disk that lets nothing be removed either
            fresh.unlink()


@contextmanager
def staged_folder(home: Path, files: Mapping[str, bytes]) -> Iterator[Callable[[str], Path]]:
    """Stage a folder; what is given puts it in place under a name, else it is removed again.

    Where a folder is replaced there is nothing for an instant, never a mixture.

    Raises
    ------
    FileUnwritable
        There is no room, or no right to write there.
    ConfigError
        Something that is no folder has that name.
    """
    fresh = home / f"{_TEMPORARY}{_mark()}"

    def put(name: str) -> Path:
        target = home / name
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise ConfigError(f"'{target}' is in the way", fix="name a folder for the bundle")
        with _named(target):
            if target.exists():
                old = home / f"{_DISCARDED}{_mark()}"
                target.rename(old)
                fresh.rename(target)
                shutil.rmtree(old)
            else:
                fresh.rename(target)
            _sync(home)
        return target

    try:
        with _named(home):
            home.mkdir(parents=True, exist_ok=True)
            _sweep(home)
            fresh.mkdir()
            for name, data in files.items():
                _write(fresh / name, data)
            _sync(fresh)
        yield put
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _mark() -> str:
    return f"{os.getpid()}-{secrets.token_hex(4)}"


@contextmanager
def _named(place: Path) -> Iterator[None]:
    """Give what the system says of a full or forbidden disk a name of ours."""
    try:
        yield
    except OSError as error:
        raise FileUnwritable(
            f"'{place.parent.name}/{place.name}' cannot be written: "
            f"{error.strerror or type(error).__name__}",
            fix="make room or give the right to write there, or name another LEADML_MODELS_DIR",
        ) from error


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sweep(home: Path) -> None:
    """Remove what writers killed long ago have left behind."""
    for prefix in (_TEMPORARY, _DISCARDED):
        for old in home.glob(f"{prefix}*"):
            try:
                if time.time() - old.stat().st_mtime > _LEFT_BEHIND_S:
                    old.unlink() if old.is_file() else shutil.rmtree(old)
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
