"""What the registry last said of its versions, kept beside the bundles.

Whoever has MLflow at hand (a training, a promotion, an errand) writes it; a server that
never imports MLflow reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from leadml.registry.clock import spelled
from leadml.registry.place import check_name
from leadml.registry.publishing import publish_file

__all__ = ["KNOWN", "Known", "read_known", "write_known"]

KNOWN: Final = "versions.json"
_LARGEST: Final = 8_000_000


@dataclass(frozen=True)
class Known:
    """What was told.

    Parameters
    ----------
    told_at
        When, ISO 8601 in UTC; "" where nothing was told yet.
    versions
        Newest first, as ``VersionInfo.as_dict`` tells each, with ``experiment_id`` where
        it is known.
    history
        Numbers of the champions, the first one first; a rollback takes the last away.
    """

    told_at: str = ""
    versions: tuple[Mapping[str, Any], ...] = ()
    history: tuple[str, ...] = ()


def write_known(
    models_dir: Path | str,
    name: str,
    versions: Sequence[Mapping[str, Any]],
    history: Sequence[str],
) -> Known:
    """Keep what the registry says; whole or not at all.

    Raises
    ------
    FileUnwritable
        There is no room, or no right to write there.
    """
    known = Known(spelled(datetime.now(UTC)), tuple(versions), tuple(history))
    publish_file(Path(models_dir) / check_name(name) / KNOWN, orjson.dumps(known))
    return known


def read_known(models_dir: Path | str, name: str) -> Known:
    """What was told last; nothing where no file is, or none that can be read."""
    path = Path(models_dir) / check_name(name) / KNOWN
    try:
        with path.open("rb") as file:
            data = orjson.loads(file.read(_LARGEST))
        versions = tuple(v for v in data["versions"] if isinstance(v.get("version"), str))
        return Known(str(data["told_at"]), versions, tuple(str(v) for v in data["history"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Known()
