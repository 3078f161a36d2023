"""leadml.service.service: the door by which commands enter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from leadml.service import Leadml
from leadml.settings import Settings

ROOMS = ("data", "hindsight", "learning", "lessons", "models", "scoring")


def test_a_room_is_imported_once_it_is_entered(tmp_path: Path) -> None:
    """Making the door imports no room; entering all loads no library that a slim scorer lacks."""
    program = f"""
import sys
from leadml.service import Leadml
leadml = Leadml()
print(sorted(m for m in sys.modules if m.startswith("leadml.service.")))
for room in {ROOMS!r}:
    assert getattr(leadml, room) is getattr(leadml, room)
print(sorted({{"pandas", "sklearn", "scipy", "lightgbm", "mlflow", "altair"}} & set(sys.modules)))
"""
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert said.stdout.splitlines() == ["['leadml.service.service']", "[]"], said.stderr
    assert not list(tmp_path.iterdir())


def test_every_room_works_for_the_settings_of_the_door() -> None:
    """One object of settings is shared, so that no command mixes two configurations."""
    settings = Settings(model_name="b2b")
    leadml = Leadml(settings)
    assert all(getattr(leadml, room).settings is settings for room in ROOMS)
