"""The versions of a model side by side, for a server that never imports MLflow."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from leadml.errors import LeadmlError, RegistryError, VersionUnknown
from leadml.registry.aliases import Named
from leadml.registry.bundle import read_bundle, read_facts
from leadml.registry.champion import Pointed, read_pointer, write_pointer
from leadml.registry.child import Child
from leadml.registry.known import Known, read_known
from leadml.registry.place import absolute_uri
from leadml.service.models import has_passed, refuse_failed
from leadml.service.serving import verify_keys
from leadml.settings import Settings

__all__ = ["Shelf"]

ERRAND_LIMIT_S: Final = 120.0
REASON_LENGTH: Final = 500
KEPT: Final = 40
"""Versions whose facts are kept at hand."""

LOOKED_INTO: Final = 30
"""Newest versions whose own figures are told in the list."""


class Shelf:
    """What is known of the versions of one model, and the way to move its champion.

    Reads the bundles in the models folder and what the registry last said of them; moving
    the champion is done by a child process that imports MLflow, or by the pointer alone
    where no tracking URI is set.

    Parameters
    ----------
    settings
        Name the model, its folder and MLflow.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = Path(settings.models_dir) / settings.model_name
        self._lock = threading.Lock()
        self._asking: Child | None = None
        self._read: dict[tuple[str, int, int], dict[str, Any]] = {}

    # --- reading ----------------------------------------------------------------------

    def listing(self) -> dict[str, Any]:
        """All versions, newest first.

        Returns
        -------
        dict
            ``champion`` (number or None), ``since`` (when it became that), ``told_at``
            (when the registry was asked last, "" for never), ``history`` (numbers of the
            champions so far), ``versions``: each with ``version``, ``champion`` (bool),
            ``local`` (bool), and where known ``created_at``, ``verdict``, ``metrics``,
            ``promoted_at``, ``reason``, ``run_id``, ``aliases``.
        """
        known, pointed = self.known(), self._pointed()
        found: dict[str, dict[str, Any]] = {}
        for told in known.versions:
            found[str(told["version"])] = {**told, "local": False}
        for place in self.folder.iterdir() if self.folder.is_dir() else ():
            if place.name.isdecimal() and place.is_dir():
                found.setdefault(place.name, {"version": place.name})["local"] = True
        champion = pointed.version if pointed else None
        versions: list[dict[str, Any]] = []
        for number in sorted(found, key=int, reverse=True):
            each = found[number]
            each["champion"] = number == champion
            if each["local"] and len(versions) < LOOKED_INTO:
                self._add_headlines(each)
            versions.append(each)
        return {
            "champion": champion,
            "since": pointed.moved_at if pointed else "",
            "told_at": known.told_at,
            "history": list(known.history),
            "versions": versions,
        }

    def facts(self, version: str) -> dict[str, Any] | None:
        """Manifest, metrics and policy of a version; None where it lies in MLflow alone.

        Raises
        ------
        VersionUnknown
            There is no such version.
        BundleError
            Its folder holds no sound bundle.
        """
        if not version.isdecimal() or len(version) > 9:
            raise VersionUnknown("there is no such version", fix="see: leadml models list")
        folder = self.folder / version
        if not folder.is_dir():
            if version in self._told():
                return None
            raise VersionUnknown(f"there is no version {version}", fix="see: leadml models list")
        state = folder.stat()
        key = (version, state.st_ino, state.st_mtime_ns)
        found = self._read.get(key)
        if found is None:
            found = read_facts(folder, keys=verify_keys(self.settings))
            if len(self._read) >= KEPT:
                self._read.pop(next(iter(self._read)))
            self._read[key] = found
        return found

    def known(self) -> Known:
        """What the registry said last."""
        return read_known(self.settings.models_dir, self.settings.model_name)

    def _told(self) -> set[str]:
        """Numbers of the versions that the registry told of."""
        return {str(told["version"]) for told in self.known().versions}

    def _pointed(self) -> Pointed | None:
        return read_pointer(self.settings.models_dir, self.settings.model_name)

    def _add_headlines(self, each: dict[str, Any]) -> None:
        """What the bundle itself tells, beside what the registry told of it."""
        try:
            told = self.facts(str(each["version"]))
        except LeadmlError as error:
            each["fault"] = error.detail
            return
        if told is None:
            return
        facts = told["metrics"]
        each["metrics"] = {
            name: figure["value"]
            for name, figure in facts.get("metrics", {}).items()
            if isinstance(figure, Mapping) and "value" in figure
        }
        each["gate_passed"] = has_passed(facts)
        each.setdefault("verdict", facts.get("verdict", {}).get("word", ""))
        each.setdefault("created_at", told["manifest"].get("made", {}).get("created_at", ""))

    def is_stale(self) -> bool:
        """Whether the champion is none that the registry told of."""
        pointed = self._pointed()
        return pointed is not None and pointed.version not in self._told()

    def refresh(self) -> None:
        """Have the registry asked again beside the server; returns at once."""
        if not self.settings.tracking_uri:
            return
        with self._lock:
            if self._asking is not None and self._asking.said() is None:
                return
            self._asking = self._errand("tell", what="asking MLflow")

    # --- moving the champion ------------------------------------------------------------

    def promote(self, version: str, reason: str, *, by: str, overrule: bool = False) -> None:
        """Make a version the champion; the server follows by itself.

        Parameters
        ----------
        reason
            Kept with the version.
        by
            Who wants it.
        overrule
            Promote although a line of the gate failed.

        Raises
        ------
        PromotionRefused
            A line of the gate failed when it was tested.
        VersionUnknown, BundleError, RegistryError
            There is no such version, it is damaged, or MLflow refuses.
        """
        told = self.facts(version)
        facts = told["metrics"] if told is not None else {}
        if not overrule:
            refuse_failed(facts, overruled="overrule it with a reason")
        said = _signed(reason, by, overruled=overrule and not has_passed(facts))
        if self.settings.tracking_uri:
            self._run("promote", version, "--reason", said, what="the promotion")
            return
        if told is None:
            raise VersionUnknown(f"version {version} is not in the models folder")
        self._point(version)

    def rollback(self, reason: str, *, by: str) -> None:
        """Make the champion before this one champion again.

        Raises
        ------
        VersionUnknown
            There was none before.
        RegistryError
            MLflow refuses or does not answer.
        """
        if not self.settings.tracking_uri:
            raise VersionUnknown(
                "without MLflow nobody knows the champion before this one",
                fix="promote the version you want",
            )
        self._run("rollback", "--reason", _signed(reason, by), what="the way back")

    def _point(self, version: str) -> None:
        """Move the pointer file to a local bundle, where there is no MLflow."""
        bundle = read_bundle(self.folder / version, keys=verify_keys(self.settings))
        write_pointer(
            self.settings.models_dir, self.settings.model_name, Named(version, bundle.digest)
        )

    def _run(self, *arguments: str, what: str) -> None:
        child = self._errand(*arguments, what=what)
        said = child.said(ERRAND_LIMIT_S + 1.0)
        if said:
            raise RegistryError(f"{what} was refused: {said}")

    def _errand(self, errand: str, *arguments: str, what: str) -> Child:
        settings = self.settings
        command = [
            *(sys.executable, "-m", "leadml.registry.errands", errand),
            *("--models-dir", str(Path(settings.models_dir).absolute())),
            *("--name", settings.model_name),
            *arguments,
        ]
        if settings.verify_key:
            command += ["--verify-key", str(Path(settings.verify_key).absolute())]
        environment = {**os.environ, "MLFLOW_TRACKING_URI": absolute_uri(settings.tracking_uri)}
        return Child(command, environment, limit_s=ERRAND_LIMIT_S, what=what)


def _signed(reason: str, by: str, *, overruled: bool = False) -> str:
    said = " ".join(reason.split())[:REASON_LENGTH]
    said = f"overruled the gate: {said}" if overruled else said
    return f"{said} (by {by})" if by else said
