"""leadml.service.slim: what a scorer without the learning part refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from leadml.errors import ExtraMissing
from leadml.service import Leadml
from leadml.service.slim import need_training
from leadml.settings import Settings


def test_a_whole_installation_may_learn() -> None:
    """Nothing is said where nothing is missing."""
    need_training()


def test_the_refusal_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the library that is gone and the extra that brings it."""
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(ExtraMissing, match="lightgbm not installed") as refused:
        Leadml(Settings()).learning.train(str(tmp_path / "leads.csv"))
    assert refused.value.fix == "pip install 'leadml[train]'"
