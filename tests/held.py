"""A champion held in memory, for tests that move it by hand."""

from __future__ import annotations

import tempfile
from pathlib import Path

from leadml.errors import LeadmlError, NoModel
from leadml.registry.bundle import Bundle, read_bundle
from leadml.service.serving import Serving
from tests import hand_made


def bundle(base: float = -2.0) -> Bundle:
    """The hand-made bundle, written, verified and read."""
    with tempfile.TemporaryDirectory() as folder:
        hand_made.bundle(Path(folder) / "bundle", base=base)
        return read_bundle(Path(folder) / "bundle")


class Held:
    """A pointer to bundles; ``fail`` makes the next looks fail."""

    def __init__(self, version: str | None = None, held: Bundle | None = None) -> None:
        self.held = (version, held) if version and held else None
        self.moved = True
        self.fail: LeadmlError | None = None
        self.degraded: str | None = None
        self.rejected: dict[str, int] = {}

    def move(self, version: str, held: Bundle) -> None:
        """Point at another bundle."""
        self.held = (version, held)
        self.moved = True

    def current(self) -> tuple[str, Bundle]:
        """What is pointed at."""
        if self.fail is not None:
            raise self.fail
        if self.held is None:
            raise NoModel("nothing is held")
        return self.held

    def poll(self) -> bool:
        """Whether it moved since the last look."""
        if self.fail is not None:
            raise self.fail
        moved, self.moved = self.moved, False
        return moved

    def close(self) -> None:
        """Nothing to stop."""


def serving(version: str = "7", held: Bundle | None = None) -> Serving:
    """Something that serves the hand-made bundle already."""
    found = Serving("leads", Held(version, held or bundle()))
    found.refresh()
    return found
