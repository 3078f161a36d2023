"""A bundle tried in a process of its own before a server takes it.

``python -m leadml.registry.trial FOLDER --digest D`` reads a bundle as the server would
and tries its golden rows, with limits on memory and time that the system enforces; the
last line on stderr says what is wrong. What passed is remembered in ``proven.json``
beside the bundles, so that the next start need not try it again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import orjson

import leadml
from leadml.errors import BundleError, FileUnwritable, LeadmlError
from leadml.registry.bundle import read_bundle
from leadml.registry.child import Child
from leadml.registry.layout import canonical
from leadml.registry.publishing import publish_file
from leadml.registry.signing import PublicKeys

__all__ = ["Limits", "is_proven", "main", "remember", "start"]

PROVEN: Final = "proven.json"
_PROVEN_BYTES: Final = 100_000
_REMEMBERED: Final = 100
_WRITTEN_BYTES: Final = 100_000
_ENVIRONMENT: Final = frozenset(
    {"HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONHASHSEED", "PYTHONHOME",
     "PYTHONPATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "VIRTUAL_ENV"}
)  # fmt: skip
"""All that the child learns of the server's environment: no password, no key."""


@dataclass(frozen=True)
class Limits:
    """What a trial may take: seconds by the clock, bytes of address space."""

    seconds: float = 15.0
    memory_bytes: int = 2_000_000_000


def start(
    folder: Path, digest: str, keys: PublicKeys | None = None, limits: Limits | None = None
) -> Child:
    """Begin to try a bundle; the child says "" once it has passed."""
    limits = limits or Limits()
    command = [
        *(sys.executable, "-P", "-m", "leadml.registry.trial", str(folder.absolute())),
        *("--digest", digest, "--memory", str(limits.memory_bytes)),
        *("--seconds", str(int(limits.seconds) + 1)),
    ]
    if keys is not None:
        command += ["--verify-key", str(keys.path)]
    environment = {key: value for key, value in os.environ.items() if key in _ENVIRONMENT}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return Child(command, environment, limit_s=limits.seconds, what="trying it")


def main(arguments: Sequence[str] | None = None) -> int:
    """Try one bundle; returns the exit code."""
    parser = argparse.ArgumentParser(prog="leadml.registry.trial")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--digest", required=True)
    parser.add_argument("--verify-key")
    parser.add_argument("--memory", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    given = parser.parse_args(arguments)
    try:
        keys = PublicKeys.of(given.verify_key) if given.verify_key else None
        _limit(given.memory, given.seconds)
        read_bundle(given.folder, digest=given.digest, keys=keys)
    except LeadmlError as error:
        sys.stderr.write(error.sentence() + "\n")
        return error.exit_code
    except MemoryError:
        sys.stderr.write(f"it needs more than {given.memory:,} bytes of memory\n")
        return BundleError.exit_code
    return 0


def _limit(memory_bytes: int, seconds: int) -> None:
    """Have the system end this process where it takes more, or writes files."""
    if sys.platform == "win32":  # pragma: no cover - only the clock limits it there
        return
    import resource

    for what, limit in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, _WRITTEN_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(what)
        allowed = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(what, (allowed, allowed))


# --- what has passed -----------------------------------------------------------------


def _mark(digest: str) -> str:
    """A digest with what it was tried by: another leadml or numpy tries it again."""
    return f"{digest} leadml {leadml.__version__} numpy {np.__version__}"


def _remembered(home: Path) -> list[str]:
    try:
        with (home / PROVEN).open("rb") as file:
            found = orjson.loads(file.read(_PROVEN_BYTES))["proven"]
    except (OSError, LookupError, TypeError, ValueError):
        return []  # nothing, or nothing that can be used: bundles are tried again
    return [str(each) for each in found] if isinstance(found, list) else []


def is_proven(home: Path, digest: str) -> bool:
    """Whether a bundle of this digest has passed here before.

    Parameters
    ----------
    home
        Folder of the model, ``models/<name>``.
    digest
        Digest of the bundle. Signature, digest and golden rows are checked whenever it is
        read, so a forged memory spares a trial and nothing else.
    """
    return _mark(digest) in _remembered(home)


def remember(home: Path, digest: str) -> None:
    """Note that a bundle has passed in a process that no server depends on.

    Where the folder cannot be written nothing is remembered, and the next start tries it
    again.
    """
    mark = _mark(digest)
    kept = [each for each in _remembered(home) if each != mark][-_REMEMBERED:]
    with suppress(FileUnwritable):
        publish_file(home / PROVEN, canonical({"proven": [*kept, mark]}))


if __name__ == "__main__":
    raise SystemExit(main())
