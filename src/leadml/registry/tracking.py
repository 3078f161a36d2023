"""Runs, registered versions and aliases in MLflow.

MLflow is imported when a method is called, never before. A version is registered in one
step, after everything it stands for lies in place; its alias is moved last, the pointer
file of the servers after that. Killing a training at any moment leaves either no version
or a whole one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadml.errors import BundleError, FileUnwritable, RegistryError
from leadml.registry import runs
from leadml.registry.aliases import Named
from leadml.registry.bundle import read_bundle, verify_bundle
from leadml.registry.champion import CHAMPION, write_pointer
from leadml.registry.connecting import connected, naming_failures, prepare
from leadml.registry.fetching import download
from leadml.registry.known import Known, write_known
from leadml.registry.place import absolute_uri, check_name, sqlite_path
from leadml.registry.publishing import staged_folder
from leadml.registry.signing import PublicKeys
from leadml.registry.succession import CHALLENGER, Succession, move, note
from leadml.registry.trial import remember
from leadml.registry.versions import VersionInfo, create_version, list_versions, named
from leadml.registry.writing import copy_bundle

__all__ = ["Moved", "Registered", "Registry"]


@dataclass(frozen=True)
class Registered:
    """A version that was just registered; ``alias`` is ``champion`` or ``challenger``."""

    name: str
    version: str
    alias: str
    run_id: str
    digest: str
    bundle: Path


@dataclass(frozen=True)
class Moved:
    """The champion alias, moved."""

    name: str
    version: str
    previous: str | None

    def as_dict(self) -> dict[str, Any]:
        """Plain data; ``previous`` is left out where there was none."""
        found: dict[str, Any] = {"name": self.name, "version": self.version}
        if self.previous is not None:
            found["previous"] = self.previous
        return found


@dataclass(frozen=True)
class Registry:
    """MLflow at one URI, and the folder of verified bundles.

    Parameters
    ----------
    tracking_uri
        ``sqlite:///mlflow.db``, ``http://…``, or another database MLflow takes. Artefacts
        of an SQLite registry lie in ``mlartifacts`` beside it.
    models_dir
        Folder of verified bundles, one folder per model and version.
    experiment
        Name of the MLflow experiment of new runs.
    progress
        Told in a few words what is going on.
    keys
        One of them must have signed whatever is registered, fetched or promoted; None
        takes unsigned bundles.
    """

    tracking_uri: str
    models_dir: Path
    experiment: str = "leadml"
    progress: Callable[[str], None] = lambda _: None
    keys: PublicKeys | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tracking_uri", absolute_uri(self.tracking_uri))
        object.__setattr__(self, "models_dir", Path(self.models_dir))

    def _connected(self, refusal: str) -> AbstractContextManager[Any]:
        return connected(self.tracking_uri, refusal)

    # --- training -------------------------------------------------------------------

    def log_training(
        self,
        bundle: Path | str,
        *,
        facts: Mapping[str, Any],
        params: Mapping[str, Any] | None = None,
        report: str | None = None,
        figures: Mapping[str, bytes] | None = None,
        name: str | None = None,
    ) -> Registered:
        """Log a training as one run and register its bundle as a new version.

        The first version whose verdict is not ``no`` becomes champion, any later one
        challenger.

        Parameters
        ----------
        bundle
            Folder written by ``write_bundle``; verified before anything is logged.
        facts
            Facts of the training, for metrics and tags.
        params
            Options of the training; nested ones are joined with dots.
        report
            The HTML report.
        figures
            File name to bytes, such as ``{"gains.png": …}``.
        name
            Name of the registered model; by default the bundle's.

        Raises
        ------
        BundleError
            The bundle is damaged.
        ExtraMissing
            MLflow is not installed.
        FileUnwritable
            The models folder takes no bundle; nothing is logged then.
        RegistryError
            MLflow refuses or does not answer; nothing is registered then, or the message
            names the version that is registered and has no alias yet.
        """
        made = read_bundle(bundle, keys=self.keys)
        name = check_name(name or made.name)
        files, _ = verify_bundle(bundle, digest=made.digest, keys=self.keys)
        prepare(self.tracking_uri, self.progress)
        with (
            staged_folder(self.models_dir / name, files) as put,
            self._connected("refuses the training") as client,
        ):
            self.progress("logging the run in MLflow")
            run_id, model_id = runs.log_training(
                client,
                self.experiment,
                made,
                name=name,
                facts=facts,
                params=params or {},
                report=report,
                figures=figures or {},
            )
            self.progress("registering the version")
            version = create_version(client, name, made, run_id, model_id, facts)
            folder = put(version)
            remember(folder.parent, made.digest)  # read and tried here, in no server
            with naming_failures(
                self.tracking_uri,
                f"registered version {version}, but gives it no alias",
                fix=f"once it answers: leadml models promote {version}",
            ):
                alias = self._first_alias(client, name, Named(version, made.digest), facts)
        self._tell(name)
        return Registered(name, version, alias, run_id, made.digest, folder)

    def log_monitoring(self, name: str, version: str, told: Mapping[str, Any]) -> str:
        """Log what was seen of a version in use, as a run of its own; gives the run's id.

        Parameters
        ----------
        name, version
            What was served.
        told
            What ``leadml monitor`` says, plain data without persons; kept as
            ``performance.json``, its figures as metrics of the version's model.

        Raises
        ------
        ExtraMissing
            MLflow is not installed.
        RegistryError
            MLflow refuses or does not answer.
        """
        with self._connected("refuses the monitoring") as client:
            return runs.log_monitoring(client, self.experiment, check_name(name), version, told)

    def _first_alias(self, client: Any, name: str, made: Named, facts: Mapping[str, Any]) -> str:
        found = Succession.of(client, name)
        usable = facts.get("verdict", {}).get("word") != "no"
        if usable and found.champion is None and move(client, self.models_dir, name, made) == made:
            note(client, name, made, "the first version", found.past)
            return CHAMPION
        client.set_registered_model_alias(name, CHALLENGER, made.version)
        return CHALLENGER

    # --- versions -------------------------------------------------------------------

    def versions(self, name: str) -> list[VersionInfo]:
        """All versions of a model, newest first; none where the model is unknown.

        Raises
        ------
        RegistryError
            MLflow does not answer.
        """
        check_name(name)
        path = sqlite_path(self.tracking_uri)
        if path is not None and not path.exists():
            return []
        with self._connected("does not list versions") as client:
            return list_versions(client, name)

    def promote(self, name: str, version: str, reason: str = "") -> Moved:
        """Make a version the champion.

        Its bundle is brought here and verified first, so the alias never names one that
        could not be served.

        Parameters
        ----------
        name
            Registered model.
        version
            A number, or an alias such as ``challenger``.
        reason
            Kept as a tag of the version.

        Raises
        ------
        BundleError
            The bundle is damaged; the alias stays.
        FileUnwritable
            The models folder cannot be written; the alias stays.
        VersionUnknown
            No such model, version or alias.
        RegistryError
            MLflow does not answer, or another version was promoted at the same moment.
        """
        with self._connected("does not move the alias") as client:
            wanted = named(client, check_name(name), version)
            self.fetch(name, wanted.version)
            found = Succession.of(client, name)
            if found.champion == wanted.version and found.is_noted:
                write_pointer(self.models_dir, name, wanted)
                return Moved(name, wanted.version, next(reversed(found.past), None))
            again = found.champion == wanted.version
            past = found.past if again else found.whole
            self._crown(client, name, wanted, reason, past)
        self._tell(name)
        return Moved(name, wanted.version, next(reversed(past), None))

    def rollback(self, name: str, reason: str = "") -> Moved:
        """Give the alias back to the champion before this one.

        A second rollback goes one step further back.

        Raises
        ------
        VersionUnknown
            There is no earlier champion.
        BundleError, FileUnwritable, RegistryError
            As :meth:`promote`.
        """
        with self._connected("does not move the alias") as client:
            found = Succession.of(client, check_name(name))
            wanted, past = found.before(client, name)
            self.fetch(name, wanted.version)
            self._crown(client, name, wanted, reason or "rolled back", past)
        self._tell(name)
        return Moved(name, wanted.version, found.champion)

    def _crown(
        self, client: Any, name: str, wanted: Named, reason: str, past: Sequence[str]
    ) -> None:
        """Make a version whose bundle is here champion, and note it."""
        holder = move(client, self.models_dir, name, wanted)
        if holder != wanted:
            raise RegistryError(
                f"version {wanted.version} was made champion, and at the same moment "
                f"somebody made version {holder.version} champion, which it stays",
                fix="agree which one it shall be, then promote it",
            )
        note(client, name, wanted, reason, past)

    def tell(self, name: str) -> Known:
        """Write what is registered beside the bundles, for servers without MLflow.

        Raises
        ------
        FileUnwritable
            The models folder cannot be written.
        RegistryError
            MLflow does not answer.
        """
        found = [info.as_dict() for info in self.versions(name)]
        if not found:
            return write_known(self.models_dir, name, [], [])
        with self._connected("does not tell its versions") as client:
            experiments = runs.experiments_of(client, {each.get("run_id", "") for each in found})
            history = Succession.of(client, name).whole
        for each in found:
            if each.get("run_id") in experiments:
                each["experiment_id"] = experiments[each["run_id"]]
        return write_known(self.models_dir, name, found, history)

    def _tell(self, name: str) -> None:
        """What was done is done, even where it cannot be told to servers."""
        with suppress(RegistryError, FileUnwritable):
            self.tell(name)

    def fetch(self, name: str, version: str) -> Path:
        """The local, verified bundle of a version, brought from MLflow if needed.

        Raises
        ------
        BundleError
            What MLflow holds is damaged or no bundle; nothing local is changed.
        FileUnwritable
            The models folder cannot be written.
        VersionUnknown
            No such model, version or alias.
        RegistryError
            MLflow does not answer.
        """
        with self._connected("does not give the bundle") as client:
            wanted = named(client, check_name(name), version)
            folder = self.models_dir / name / wanted.version
            if folder.exists():
                try:
                    return read_bundle(folder, digest=wanted.digest, keys=self.keys).folder
                except BundleError:
                    self.progress(f"version {wanted.version} is damaged here, fetching it again")
            self.progress(f"fetching version {wanted.version}")
            with tempfile.TemporaryDirectory(prefix="leadml-") as scratch:
                source = download(client, name, wanted.version, Path(scratch))
                copy_bundle(source, folder, digest=wanted.digest, keys=self.keys)
        return folder
