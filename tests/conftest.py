"""What many tests need."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder with the public data sets; tests that need it are skipped where it is absent."""
    named = os.environ.get("LEADML_DATA_MIRROR")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not (folder / "bank_additional_full.csv.gz").exists():
        pytest.skip(f"no public data sets in {folder}; name their folder by LEADML_DATA_MIRROR")
    return folder
