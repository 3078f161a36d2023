"""leadml.service.models: what commands ask of registered versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadml.errors import ConfigError, NoModel, PromotionRefused
from leadml.service.models import Models, has_passed, refuse_failed, served_of
from leadml.settings import Settings
from tests import company


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two versions, the first one champion, nothing remembered."""
    return company.found(tmp_path_factory.mktemp("models"), n_leads=0)


@pytest.mark.parametrize(
    ("name", "form", "start"),
    [
        ("report.html", "html", b"<!doctype html>"),
        ("report", "html", b"<!doctype html>"),
        ("deep/card.MD", "md", b"#"),
        ("slide.png", "png", b"\x89PNG"),
    ],
)
def test_the_ending_of_a_file_chooses_the_form(
    settings: Settings, tmp_path: Path, name: str, form: str, start: bytes
) -> None:
    """A page, a card or a slide is written whole, into a folder that need not be there."""
    told = Models(settings).report(None, tmp_path / name)
    content = (tmp_path / name).read_bytes()
    assert (told["form"], told["bytes"]) == (form, len(content))
    assert content.lower().startswith(start.lower())
    assert told["model_version"] == served_of(settings).versions.model == "leads@1"


def test_a_form_that_is_named_goes_before_the_ending(settings: Settings, tmp_path: Path) -> None:
    """Another ending is refused unless the form is named."""
    with pytest.raises(ConfigError, match=r"'\.pdf'"):
        Models(settings).report(None, tmp_path / "report.pdf")
    Models(settings).report(None, tmp_path / "report.pdf", "md")
    assert (tmp_path / "report.pdf").read_text("utf-8").startswith("#")


def test_nothing_is_served_without_a_champion(settings: Settings) -> None:
    """The name of the model decides which champion is meant."""
    with pytest.raises(NoModel):
        served_of(Settings(models_dir=settings.models_dir, tracking_uri="", model_name="b2b"))


def test_only_a_failed_gate_refuses() -> None:
    """A version passed, never met a gate, or is refused with the sentence of the gate."""
    for facts in ({}, {"gate": {"passed": True, "sentence": "Better."}}):
        assert has_passed(facts)
        refuse_failed(facts, overruled="overrule it")
    with pytest.raises(PromotionRefused, match=r"Log loss is worse\.") as refused:
        refuse_failed(
            {"gate": {"passed": False, "sentence": "Log loss is worse."}}, overruled="overrule it"
        )
    assert refused.value.fix == "mend what failed and train again, or overrule it"
