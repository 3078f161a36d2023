"""The registered versions of a model: looked at, reported on, promoted, rolled back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from leadml.errors import ConfigError, PromotionRefused, VersionUnknown
from leadml.registry.bundle import read_bundle
from leadml.registry.signing import check_pair
from leadml.service.progress import Progress, silent
from leadml.service.serving import Served, Serving, verify_keys
from leadml.service.slim import need_training
from leadml.settings import Settings

if TYPE_CHECKING:
    from leadml.registry.tracking import Registry

__all__ = ["Form", "Models", "has_passed", "refuse_failed", "registry_of", "served_of"]

Form = Literal["html", "md", "png"]


def registry_of(
    settings: Settings, progress: Progress = silent, *, registering: bool = False
) -> Registry:
    """MLflow and the models folder that the settings name.

    Parameters
    ----------
    progress
        Told each step that takes MLflow long.
    registering
        Something is to be registered: keys that could not sign it are refused at once.

    Raises
    ------
    ConfigError
        The keys cannot be used, or do not belong together.
    """
    from leadml.registry.tracking import Registry

    keys = verify_keys(settings)
    if registering:
        check_pair(settings.signing_key or None, keys)
    return Registry(
        settings.tracking_uri or "sqlite:///mlflow.db",
        Path(settings.models_dir),
        progress=lambda step: progress(step, 0, 1),
        keys=keys,
    )


def served_of(settings: Settings, version: str | None = None) -> Served:
    """The champion, or a version by its number or alias, laid out for scoring.

    Raises
    ------
    NoModel
        There is no champion.
    VersionUnknown, RegistryError, BundleError
        There is no such version, MLflow does not answer, or the bundle is not sound.
    """
    if version is None:
        serving = Serving.of(settings, trial=False)
        serving.refresh()
        return serving.current()
    folder = registry_of(settings).fetch(settings.model_name, version)
    bundle = read_bundle(folder, keys=verify_keys(settings))
    return Served.of(settings.model_name, folder.name, bundle)


def has_passed(facts: Mapping[str, Any]) -> bool:
    """Whether a version passed the gate of its training; one without a gate did."""
    return bool(facts.get("gate", {}).get("passed", True))


def refuse_failed(facts: Mapping[str, Any], *, overruled: str) -> None:
    """Refuse to promote a version that failed the gate of its training.

    Parameters
    ----------
    facts
        Of that training.
    overruled
        How it is overruled here.

    Raises
    ------
    PromotionRefused
        It failed; the detail says by which line.
    """
    if not has_passed(facts):
        raise PromotionRefused(
            facts["gate"]["sentence"], fix=f"mend what failed and train again, or {overruled}"
        )


class Models:
    """Registered versions of the model that the settings name.

    Parameters
    ----------
    settings
        Name the model, its folder and MLflow.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def listed(self) -> list[dict[str, Any]]:
        """All versions, newest first."""
        need_training()
        found = registry_of(self.settings).versions(self.settings.model_name)
        return [version.as_dict() for version in found]

    def one(self, version: str) -> dict[str, Any]:
        """All that the registry knows of one version.

        Parameters
        ----------
        version
            Its number or an alias.

        Raises
        ------
        VersionUnknown
            There is none.
        """
        versions = self.listed()
        for told in versions:
            if str(told["version"]) == version or version in told.get("aliases", ()):
                return told
        known = ", ".join(str(told["version"]) for told in versions) or "none"
        raise VersionUnknown(f"there is no version '{version}'", fix=f"registered are: {known}")

    def promote(self, version: str, reason: str = "", overrule: str = "") -> dict[str, Any]:
        """Make a version the champion; a running server follows by itself.

        Raises
        ------
        PromotionRefused
            A line of the gate failed when the version was tested, and no reason to
            overrule it was given.
        """
        need_training()
        facts = served_of(self.settings, version).facts
        if not overrule.strip():
            refuse_failed(facts, overruled="overrule it: --overrule 'why'")
        else:
            reason = f"{reason}; overruled: {overrule}" if reason else f"overruled: {overrule}"
        moved = registry_of(self.settings).promote(self.settings.model_name, version, reason)
        return moved.as_dict()

    def rollback(self, reason: str = "") -> dict[str, Any]:
        """Make the champion before this one champion again."""
        need_training()
        return registry_of(self.settings).rollback(self.settings.model_name, reason).as_dict()

    def report(self, version: str | None, output: Path, form: Form | None = None) -> dict[str, Any]:
        """Write the report of a version as one file.

        Parameters
        ----------
        version
            Number or alias; None for the champion.
        output
            Where to; folders are made.
        form
            ``html`` for the whole report, ``md`` for the model card in Markdown, ``png``
            for a slide; by the ending of ``output`` if left out.

        Raises
        ------
        ConfigError
            The ending of ``output`` is none of these.
        """
        need_training()
        from leadml.reports.card import model_card
        from leadml.reports.page import render_report
        from leadml.reports.slide import slide

        form = form or _form_of(output)
        served = served_of(self.settings, version)
        facts = dict(served.facts)
        facts["model"] = {**facts.get("model", {}), "name": served.name, "version": served.version}
        facts["policy"] = served.policy.as_dict()
        if form == "png":
            content = slide(facts)
        else:
            content = (render_report if form == "html" else model_card)(facts).encode()
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(content)
        return {
            "report": str(output),
            "form": form,
            "bytes": len(content),
            "model_version": served.versions.model,
        }


def _form_of(output: Path) -> Form:
    """The form that a file's ending asks for."""
    ending = output.suffix.lower()
    forms: dict[str, Form] = {".html": "html", ".htm": "html", "": "html"}
    forms |= {".md": "md", ".png": "png"}
    if ending not in forms:
        raise ConfigError(
            f"a report cannot be written as '{ending}'",
            fix="end the file in .html, .md or .png, or name the form by --format",
        )
    return forms[ending]
