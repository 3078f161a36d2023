"""Tables of leads brought from outside, or simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leadml.errors import FileMissing
from leadml.service.progress import Progress, silent
from leadml.service.slim import need_training
from leadml.settings import Settings

__all__ = ["Data"]


class Data:
    """Public and simulated histories.

    Parameters
    ----------
    settings
        May name a mirror of the public ones.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def listed(self) -> list[dict[str, Any]]:
        """The public data sets that leadml knows."""
        from leadml.datasets.catalog import CATALOG

        return [entry.as_dict() for entry in CATALOG.values()]

    def get(
        self, name: str, into: Path = Path("data"), progress: Progress = silent
    ) -> dict[str, Any]:
        """Bring one public data set, verified by digest."""
        need_training()
        from leadml.datasets.catalog import get

        mirror = self.settings.data_mirror
        if mirror and not Path(mirror).is_dir():
            raise FileMissing(
                f"the mirror '{mirror}' is no folder", fix="correct LEADML_DATA_MIRROR"
            )
        files = get(name, into=into, mirror=Path(mirror) if mirror else None, progress=progress)
        return {"name": name, "files": [str(file) for file in files]}

    def simulate(self, n_leads: int, folder: Path, seed: int = 0) -> dict[str, Any]:
        """Write a simulated CRM history; its truth stands in a folder of its own."""
        need_training()
        from leadml.datasets.simulate import simulate, write_history

        files = write_history(simulate(n_leads, seed=seed), folder)
        return {"folder": str(folder), "files": [str(file) for file in files], "n_leads": n_leads}
