"""Champions one after the other: the alias moved, the order kept for the way back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from leadml.registry.aliases import Named
from leadml.registry.champion import CHAMPION, write_pointer
from leadml.registry.versions import PROMOTED_TAG, REASON_TAG, TAG_LENGTH

__all__ = ["champion_before", "history_of", "move"]

_HISTORY_TAG: Final = "leadml.champions"
_HISTORY_LENGTH: Final = 100


def move(
    client: Any, models_dir: Path, name: str, wanted: Named, reason: str, history: Sequence[str]
) -> None:
    """Alias, then pointer; what explains it before both."""
    past = [*history, wanted.version][-_HISTORY_LENGTH:]
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    client.set_model_version_tag(name, wanted.version, PROMOTED_TAG, now)
    client.set_model_version_tag(name, wanted.version, REASON_TAG, reason[:TAG_LENGTH])
    client.set_registered_model_alias(name, CHAMPION, wanted.version)
    client.set_registered_model_tag(name, _HISTORY_TAG, " ".join(past))
    write_pointer(models_dir, name, wanted)


def history_of(client: Any, name: str) -> list[str]:
    """Numbers of the champions of a model, the first one first."""
    tags = client.get_registered_model(name).tags
    return [each for each in str(tags.get(_HISTORY_TAG, "")).split() if each.isdecimal()]


def champion_before(history: Sequence[str], current: str) -> str | None:
    """The last champion that is not the current one; None where there was none."""
    return next((each for each in reversed(history) if each != current), None)
