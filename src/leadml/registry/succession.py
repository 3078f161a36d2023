"""Champions one after the other: the alias moved, the order kept for the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from leadml.errors import VersionUnknown
from leadml.registry.aliases import Named, is_version
from leadml.registry.champion import CHAMPION, staged_pointer, write_pointer
from leadml.registry.clock import spelled
from leadml.registry.connecting import naming_failures
from leadml.registry.versions import (
    PROMOTED_TAG,
    REASON_TAG,
    TAG_LENGTH,
    aliases_in,
    list_versions,
    named,
)

__all__ = ["CHALLENGER", "Succession", "move", "note"]

CHALLENGER: Final = "challenger"

_HISTORY_TAG: Final = "leadml.champions"
_HISTORY_LENGTH: Final = 100


@dataclass(frozen=True)
class Succession:
    """Who is champion of a model, and who was before.

    Parameters
    ----------
    champion
        Number of the version that has the alias; None where none has it.
    past
        Numbers of the champions before this one, the first one first.
    is_noted
        Whether the tag that keeps the order ends with the champion: not where the alias was
        moved in MLflow itself, or a promotion was cut short.
    """

    champion: str | None
    past: tuple[str, ...]
    is_noted: bool

    @classmethod
    def of(cls, client: Any, name: str) -> Succession:
        """Ask MLflow."""
        model = client.get_registered_model(name)
        champion = aliases_in(model).get(CHAMPION)
        past = [each for each in str(model.tags.get(_HISTORY_TAG, "")).split() if is_version(each)]
        is_noted = past[-1:] == [champion]
        while past and past[-1] == champion:
            past.pop()
        return cls(champion, tuple(past), is_noted)

    @property
    def whole(self) -> tuple[str, ...]:
        """All champions, the first one first and the present one last."""
        return self.past if self.champion is None else (*self.past, self.champion)

    def before(self, client: Any, name: str) -> tuple[Named, tuple[str, ...]]:
        """The champion before this one that is still registered, and those before that.

        Raises
        ------
        VersionUnknown
            There is none.
        RegistryError
            It was not registered by leadml.
        """
        registered = {info.version for info in list_versions(client, name)} - {self.champion}
        for at in reversed(range(len(self.past))):
            if self.past[at] in registered:
                return named(client, name, self.past[at]), self.past[:at]
        said = f"'{name}' has no champion, so nothing was before it"
        if self.past:
            said = f"every champion of '{name}' before this one was deleted"
        elif self.champion is not None:
            said = f"version {self.champion} is the first champion of '{name}', so nothing was "
            said += "before it"
        raise VersionUnknown(
            said, fix="see: leadml models list; choose one: leadml models promote VERSION"
        )


def move(client: Any, models_dir: Path, name: str, wanted: Named) -> Named:
    """Give the alias to a version, point the servers at it; tells which version has it now.

    That is another one where somebody moved the alias at the same moment.

    Raises
    ------
    FileUnwritable
        The pointer cannot be written; the alias stays.
    """
    with staged_pointer(models_dir, name, wanted) as put:
        client.set_registered_model_alias(name, CHAMPION, wanted.version)
        put()
    holder = named(client, name, CHAMPION)
    if holder != wanted:
        write_pointer(models_dir, name, holder)
    return holder


def note(client: Any, name: str, champion: Named, reason: str, past: Sequence[str]) -> None:
    """Keep when and why a version became champion, and the order.

    It challenges nobody any more. The order comes last: where it is kept, all is.

    Raises
    ------
    RegistryError
        MLflow does not answer; the version is champion all the same.
    """
    order = [*past, champion.version][-_HISTORY_LENGTH:]
    said = reason.encode(errors="replace").decode()[:TAG_LENGTH]
    with naming_failures(
        client.tracking_uri,
        f"made version {champion.version} champion, but does not keep when and why",
        fix=f"once it answers: leadml models promote {champion.version}",
    ):
        now = spelled(datetime.now(UTC))
        client.set_model_version_tag(name, champion.version, PROMOTED_TAG, now)
        client.set_model_version_tag(name, champion.version, REASON_TAG, said)
        if aliases_in(client.get_registered_model(name)).get(CHALLENGER) == champion.version:
            client.delete_registered_model_alias(name, CHALLENGER)
        client.set_registered_model_tag(name, _HISTORY_TAG, " ".join(order))
