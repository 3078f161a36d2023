"""What many tests need."""

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from leadml.store import Store
from tests import stored

# A busy machine is slow, not wrong: what takes long is measured in benchmarks, not here.
usual = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50)
# The usual suite tries the same examples everywhere; the long one looks for new ones.
settings.register_profile("usual", usual, derandomize=True)
settings.register_profile("long", usual, max_examples=100)
settings.load_profile(os.environ.get("TEST_EXAMPLES", "usual"))


def pytest_collection_finish() -> None:
    """What is imported by now stays: who looks for garbage need not look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def own_surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each module has a memory of its own and inherits no tracking URI that MLflow set."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        os.environ.pop(name, None)
    folder = tmp_path_factory.mktemp("memory")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEADML_DATABASE_URL", f"sqlite:///{folder / 'leadml.db'}")
        yield


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder with the public data sets; tests that need it are skipped where it is absent."""
    named = os.environ.get("LEADML_DATA_MIRROR")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not (folder / "bank_additional_full.csv.gz").exists():
        pytest.skip(f"no public data sets in {folder}; name their folder by LEADML_DATA_MIRROR")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[stored.Postgres]:
    """A real PostgreSQL; tests that need it are skipped where its wheel does not start."""
    try:
        running = stored.postgres()
        server = running.__enter__()
    except (ImportError, OSError, RuntimeError) as error:
        pytest.skip(f"no PostgreSQL could be started from the wheel: {error}")
    yield server
    running.__exit__(None, None, None)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'leadml.db'}"
        made = Store(url)
        made.migrate()
        made.close()
        yield url
        return
    server = request.getfixturevalue("postgres")
    url = server.fresh()
    yield url
    server.drop(url)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty memory, on SQLite and on PostgreSQL."""
    opened = Store(database_url)
    yield opened
    opened.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of three megabytes, where the tests may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=3m,mode=777", "none", str(folder)],
            capture_output=True,
            text=True,
        )
        if shutil.which("mount")
        else None
    )
    if made is None or made.returncode:
        pytest.skip("no small file system can be mounted here (needs root)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
