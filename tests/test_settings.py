"""Settings: read from the environment once, checked, frozen, documented."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from leadml.errors import ConfigError
from leadml.settings import Settings, settings_table, unknown_settings

DOCUMENT = Path(__file__).parents[1] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting comes from the machine that runs the tests."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LEADML_{name.upper()}", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable LEADML_<NAME> sets the field of that name, with its type."""
    monkeypatch.setenv("LEADML_PORT", "9001")
    monkeypatch.setenv("LEADML_ALLOW_OPEN", "true")
    assert (Settings().port, Settings().allow_open) == (9001, True)


def test_arguments_overrule_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command's option counts more than the environment."""
    monkeypatch.setenv("LEADML_PORT", "9001")
    assert Settings(port=9002).port == 9002


def test_mlflow_variable_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLFLOW_TRACKING_URI is read; LEADML_TRACKING_URI overrules it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://one")
    assert Settings().tracking_uri == "http://one"
    monkeypatch.setenv("LEADML_TRACKING_URI", "http://two")
    assert Settings().tracking_uri == "http://two"
    assert Settings(tracking_uri="http://three").tracking_uri == "http://three"


def test_settings_are_frozen() -> None:
    """Nothing changes a setting after it was read."""
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LEADML_PORT", "secret-word"),
        ("LEADML_PORT", "70000"),
        ("LEADML_MAX_BODY_BYTES", "-5"),
        ("LEADML_MODEL_NAME", "../elsewhere"),
        ("LEADML_LOG_LEVEL", "loud"),
    ],
)
def test_wrong_value_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """A wrong value names its variable and not itself."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        Settings()
    assert variable in caught.value.sentence()
    assert value not in caught.value.sentence()


def test_unknown_argument_names_the_nearest() -> None:
    """A misspelt setting is refused with the one that was probably meant."""
    with pytest.raises(ConfigError) as caught:
        Settings(prot=1)
    assert caught.value.fix == "did you mean 'port'?"


def test_unknown_variables_are_found() -> None:
    """A misspelt variable is reported with the nearest; foreign ones are not."""
    environment = {"LEADML_MODELDIR": "x", "LEADML_DATA_MIRROR": "y", "PATH": "z"}
    assert unknown_settings(environment) == [("LEADML_MODELDIR", "LEADML_MODELS_DIR")]


def test_every_setting_is_documented() -> None:
    """Each field has a description, and docs/settings.md holds the table as it is now."""
    assert all(field.description for field in Settings.model_fields.values())
    assert settings_table() in DOCUMENT.read_text("utf-8")
