"""Runs, registered versions and aliases in MLflow.

MLflow is imported when a method is called, never before. A version is registered in one
step, after everything it stands for lies in place; its alias is moved last, the pointer
file of the servers after that. Killing a training at any moment leaves either no version
or a whole one.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import leadml
from leadml.errors import (
    BundleError,
    DriverMissing,
    ExtraMissing,
    LeadmlError,
    RegistryError,
    VersionUnknown,
)
from leadml.leads.schema import Schema
from leadml.registry.aliases import DIGEST_TAG, Named
from leadml.registry.bundle import Bundle, read_bundle
from leadml.registry.champion import CHAMPION, write_pointer
from leadml.registry.known import Known, write_known
from leadml.registry.layout import LIMITS, canonical
from leadml.registry.place import (
    absolute_uri,
    artifacts_uri,
    check_name,
    shown_uri,
    sqlite_path,
)
from leadml.registry.pyfunc import OUTPUT, SCRIPT
from leadml.registry.signing import SIGNATURE, SIGNATURE_BYTES, PublicKeys
from leadml.registry.trial import remember
from leadml.registry.writing import copy_bundle

__all__ = ["CHALLENGER", "Moved", "Registered", "Registry", "VersionInfo"]

CHALLENGER: Final = "challenger"

_HISTORY_TAG: Final = "leadml.champions"
_HISTORY_LENGTH: Final = 100
_METRICS_TAG: Final = "leadml.metrics"
_VERDICT_TAG: Final = "leadml.verdict"
_HEADLINES: Final = ("roc_auc", "pr_auc", "log_loss", "brier", "ece")
_BUNDLE_PATH: Final = "artifacts/bundle"
_PARAM_LENGTH: Final = 500
_TAG_LENGTH: Final = 4900
_QUIET: Final = ("mlflow", "alembic")
_NOT_IN_KEYS: Final = re.compile(r"[^\w\-. /]")
_ENVIRONMENT: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",  # or the caller's own uv.lock is logged with the model
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # stdout belongs to the command
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
_DATABASES: Final = frozenset({"sqlite", "postgresql", "mysql", "mssql"})
_PREPARING: Final = threading.Lock()  # MLflow's migrations take one thread at a time
_REQUIREMENTS: Final = ("numpy>=2.0", "pandas>=2.2", "orjson>=3.10", "mlflow>=3.17,<4")


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
class VersionInfo:
    """A registered version.

    ``metrics`` holds headline figures by name, intervals as ``<name>_low`` and
    ``<name>_high``; empty texts where a version was not registered by leadml.
    """

    version: str
    aliases: tuple[str, ...]
    created_at: str
    metrics: dict[str, float]
    verdict: str
    run_id: str
    digest: str
    promoted_at: str = ""
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data; what is not known is left out."""
        found = {
            "version": self.version,
            "aliases": list(self.aliases),
            "created_at": self.created_at,
            "metrics": dict(self.metrics),
            "verdict": self.verdict,
            "run_id": self.run_id,
            "digest": self.digest,
            "promoted_at": self.promoted_at,
            "reason": self.reason,
        }
        return {key: value for key, value in found.items() if value != "" or key == "version"}


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

    # --- database -------------------------------------------------------------------

    def prepare(self) -> None:
        """Make a fresh SQLite database whole before it gets its name.

        MLflow's migrations cannot be undone half-way; a process killed among them would
        leave a database that no later run can open.

        Raises
        ------
        ExtraMissing
            MLflow is not installed.
        RegistryError
            The database cannot be made.
        """
        path = sqlite_path(self.tracking_uri)
        if path is None or path.exists():
            return
        self.progress("preparing the MLflow database (once)")
        with _PREPARING, _mlflow(self.tracking_uri, "cannot make its database"):
            from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

            if path.exists():
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
            try:
                root = artifacts_uri(self.tracking_uri)
                store = SqlAlchemyStore(f"sqlite:///{fresh.absolute().as_posix()}", root)
                store.engine.dispose()
                try:
                    os.link(fresh, path)  # unlike a rename, leaves what another process made
                except FileExistsError:
                    return
                except OSError:  # a file system without hard links
                    fresh.rename(path)
            finally:
                fresh.unlink(missing_ok=True)

    def _client(self) -> Any:
        self.prepare()
        from mlflow import MlflowClient

        _look(self.tracking_uri)
        return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

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
        RegistryError
            MLflow refuses or does not answer; nothing is registered then.
        """
        made = read_bundle(bundle, keys=self.keys)
        name = check_name(name or made.name)
        with _mlflow(self.tracking_uri, "refuses the training"):
            from mlflow.exceptions import MlflowException

            client = self._client()
            self.progress("logging the run in MLflow")
            experiment = self._experiment(client)
            run = client.create_run(experiment, run_name=_run_name(name), tags=_run_tags(facts))
            run_id = str(run.info.run_id)
            try:
                model_id = self._log(client, run_id, experiment, made, facts, params or {})
                self._log_files(client, run_id, made, report, figures or {})
                client.set_terminated(run_id, "FINISHED")
            except BaseException:
                with suppress(MlflowException, OSError):  # the first failure is the one to tell
                    client.set_terminated(run_id, "FAILED")
                raise
            self.progress("registering the version")
            version = self._register(client, name, made, run_id, model_id, facts)
            folder = self.models_dir / name / version
            copy_bundle(bundle, folder, digest=made.digest, keys=self.keys)
            remember(folder.parent, made.digest)  # read and tried here, in no server
            alias = self._first_alias(client, name, version, made.digest, facts)
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
        with _mlflow(self.tracking_uri, "refuses the monitoring"):
            from mlflow.entities import Metric

            client = self._client()
            found = client.get_model_version(check_name(name), version)
            experiment = self._experiment(client)
            tags = {
                "leadml.kind": "monitoring",
                "leadml.model_version": f"{name}@{version}",
                "leadml.policy_version": str(told.get("policy_version", "")),
                "leadml.verdict": str(told.get("verdict", {}).get("word", "")),
                "leadml.signals": " ".join(
                    str(signal["code"]) for signal in told.get("signals", ())
                )[:_TAG_LENGTH],
                "mlflow.note.content": str(told.get("verdict", {}).get("sentence", "")),
            }
            run = client.create_run(experiment, run_name=f"{name}-{version}-monitoring", tags=tags)
            run_id = str(run.info.run_id)
            now = int(time.time() * 1000)
            model_id = getattr(found, "model_id", None)
            client.log_batch(
                run_id,
                metrics=[
                    Metric(key, value, now, 0, model_id=model_id) for key, value in _seen(told)
                ],
            )
            with tempfile.TemporaryDirectory(prefix="leadml-") as scratch:
                (Path(scratch) / "performance.json").write_bytes(canonical(told))
                client.log_artifacts(run_id, scratch)
            client.set_terminated(run_id, "FINISHED")
        return run_id

    def _experiment(self, client: Any) -> str:
        from mlflow.exceptions import MlflowException

        found = client.get_experiment_by_name(self.experiment)
        if found is None:
            try:
                made = client.create_experiment(
                    self.experiment, artifact_location=artifacts_uri(self.tracking_uri)
                )
                return str(made)
            except MlflowException:  # another training was faster
                found = client.get_experiment_by_name(self.experiment)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _log(
        self,
        client: Any,
        run_id: str,
        experiment: str,
        made: Bundle,
        facts: Mapping[str, Any],
        params: Mapping[str, Any],
    ) -> str:
        """Log parameters, metrics, data and the model; returns the model's id."""
        from mlflow.entities import LoggedModelOutput, Metric, Param

        said = {key: text[:_PARAM_LENGTH] for key, text in _flat(params)}
        model = client.create_logged_model(
            experiment,
            name=made.name,
            source_run_id=run_id,
            params={key: text[:250] for key, text in said.items()},
            tags={DIGEST_TAG: made.digest},
            model_type="leadml scorecard",
        )
        model_id = str(model.model_id)
        now = int(time.time() * 1000)
        client.log_batch(
            run_id,
            metrics=[
                Metric(key, value, now, 0, model_id=model_id) for key, value in _metrics(facts)
            ],
            params=[Param(key, text) for key, text in said.items()],
        )
        _log_data(client, run_id, facts)
        with tempfile.TemporaryDirectory(prefix="leadml-") as scratch:
            folder = Path(scratch) / "model"
            _save_pyfunc(folder, made, run_id, model_id)
            client.log_model_artifacts(model_id, str(folder))
        client.finalize_logged_model(model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])
        return model_id

    def _log_files(
        self,
        client: Any,
        run_id: str,
        made: Bundle,
        report: str | None,
        figures: Mapping[str, bytes],
    ) -> None:
        with tempfile.TemporaryDirectory(prefix="leadml-") as scratch:
            folder = Path(scratch)
            (folder / "card.md").write_text(made.card, encoding="utf-8")
            if report is not None:
                (folder / "report.html").write_text(report, encoding="utf-8")
            for file, data in figures.items():
                path = folder / "figures" / Path(file).name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
            client.log_artifacts(run_id, str(folder))

    def _register(
        self,
        client: Any,
        name: str,
        made: Bundle,
        run_id: str,
        model_id: str,
        facts: Mapping[str, Any],
    ) -> str:
        """Make the version with its tags in one step."""
        from mlflow.exceptions import MlflowException

        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        verdict = facts.get("verdict", {})
        headlines = {
            key: figure
            for key, figure in facts.get("metrics", {}).items()
            if key in _HEADLINES and isinstance(figure, Mapping)
        }
        # a server resolves its own models:/ address; MLflow's database layer would look for
        # it at the global tracking URI, which may be another one
        local = artifacts_uri(self.tracking_uri) is not None
        model = client.get_logged_model(model_id) if local else None
        version = client.create_model_version(
            name,
            source=f"models:/{model_id}" if model is None else model.artifact_location,
            run_id=run_id,
            model_id=model_id,
            description=str(verdict.get("sentence", "")),
            tags={
                DIGEST_TAG: made.digest,
                _VERDICT_TAG: str(verdict.get("word", "")),
                _METRICS_TAG: canonical(headlines).decode().strip()[:_TAG_LENGTH],
                "leadml.data_digest": str(made.manifest["data_digest"]),
                "leadml.version": leadml.__version__,
            },
        )
        return str(version.version)

    def _first_alias(
        self, client: Any, name: str, version: str, digest: str, facts: Mapping[str, Any]
    ) -> str:
        if facts.get("verdict", {}).get("word") == "no" or self._aliases(client, name).get(
            CHAMPION
        ):
            client.set_registered_model_alias(name, CHALLENGER, version)
            return CHALLENGER
        self._move(
            client, name, Named(version, digest), "the first version", _history(client, name)
        )
        return CHAMPION

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
        with _mlflow(self.tracking_uri, "does not list versions"):
            from mlflow.exceptions import MlflowException

            client = self._client()
            try:
                aliases = self._aliases(client, name)
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return []
                raise
            by_version: dict[str, list[str]] = {}
            for alias, version in aliases.items():
                by_version.setdefault(version, []).append(alias)
            found = []
            token: str | None = None
            while True:
                page = client.search_model_versions(
                    f"name = '{name}'", max_results=1000, page_token=token
                )
                for each in page:
                    names = sorted(by_version.get(str(each.version), ()))
                    found.append(_info(each, tuple(names)))
                token = page.token
                if not token:
                    break
        return sorted(found, key=lambda info: int(info.version), reverse=True)

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
        VersionUnknown
            No such model, version or alias.
        RegistryError
            MLflow does not answer.
        """
        with _mlflow(self.tracking_uri, "does not move the alias"):
            client = self._client()
            named = self._named(client, name, version)
            self.fetch(name, named.version)
            aliases = self._aliases(client, name)
            before = aliases.get(CHAMPION)
            if before == named.version:
                write_pointer(self.models_dir, name, named)
                return Moved(name, named.version, _before(_history(client, name), before))
            history = _history(client, name)
            if before is not None and (not history or history[-1] != before):
                history.append(before)  # the alias was moved in MLflow itself
            self._move(client, name, named, reason, history)
            if aliases.get(CHALLENGER) == named.version:
                client.delete_registered_model_alias(name, CHALLENGER)
        self._tell(name)
        return Moved(name, named.version, before)

    def rollback(self, name: str, reason: str = "") -> Moved:
        """Give the alias back to the champion before this one.

        A second rollback goes one step further back.

        Raises
        ------
        VersionUnknown
            There is no earlier champion.
        BundleError, RegistryError
            As :meth:`promote`.
        """
        with _mlflow(self.tracking_uri, "does not move the alias"):
            client = self._client()
            before = self._aliases(client, name).get(CHAMPION)
            history = _history(client, name)
            while history and history[-1] == before:
                history.pop()
            if not history:
                raise VersionUnknown(
                    f"version {before} is the first champion of '{name}', so nothing was before it"
                    if before
                    else f"'{name}' has no champion, so nothing was before it",
                    fix="see: leadml models list; choose one: leadml models promote VERSION",
                )
            named = self._named(client, name, history.pop())
            self.fetch(name, named.version)
            self._move(client, name, named, reason or "rolled back", history)
        self._tell(name)
        return Moved(name, named.version, before)

    def tell(self, name: str) -> Known:
        """Write what is registered beside the bundles, for servers without MLflow.

        Raises
        ------
        RegistryError
            MLflow does not answer.
        """
        found = [info.as_dict() for info in self.versions(name)]
        with _mlflow(self.tracking_uri, "does not tell its versions"):
            client = self._client()
            history = _history(client, name) if found else []
            experiments: dict[str, str] = {}
            for each in found:
                run_id = str(each.get("run_id", ""))
                if run_id and run_id not in experiments:
                    experiments[run_id] = str(client.get_run(run_id).info.experiment_id)
                if run_id:
                    each["experiment_id"] = experiments[run_id]
        return write_known(self.models_dir, name, found, history)

    def _tell(self, name: str) -> None:
        """What was done is done, even where it cannot be told to servers."""
        with suppress(RegistryError, OSError):
            self.tell(name)

    def fetch(self, name: str, version: str) -> Path:
        """The local, verified bundle of a version, brought from MLflow if needed.

        Raises
        ------
        BundleError
            What MLflow holds is damaged or no bundle; nothing local is changed.
        VersionUnknown
            No such model, version or alias.
        RegistryError
            MLflow does not answer.
        """
        with _mlflow(self.tracking_uri, "does not give the bundle"):
            client = self._client()
            named = self._named(client, name, version)
            folder = self.models_dir / name / named.version
            if folder.exists():
                try:
                    return read_bundle(folder, digest=named.digest, keys=self.keys).folder
                except BundleError:
                    self.progress(f"version {named.version} is damaged here, fetching it again")
            self.progress(f"fetching version {named.version}")
            with tempfile.TemporaryDirectory(prefix="leadml-") as scratch:
                source = self._download(client, name, named.version, Path(scratch))
                copy_bundle(source, folder, digest=named.digest, keys=self.keys)
        return folder

    def _download(self, client: Any, name: str, version: str, scratch: Path) -> Path:
        """Bring the files that a bundle may have, after a look at names and sizes."""
        from mlflow.artifacts import download_artifacts, list_artifacts

        uri = client.get_model_version_download_uri(name, version)
        where = f"{uri.rstrip('/')}/{_BUNDLE_PATH}"
        listed = list_artifacts(artifact_uri=where, tracking_uri=self.tracking_uri)
        sizes = {Path(each.path).name: each for each in listed}
        if sizes.keys() - {SIGNATURE} != LIMITS.keys() or any(each.is_dir for each in listed):
            raise BundleError(f"version {version} of '{name}' holds no bundle of leadml")
        for file, each in sizes.items():
            limit = LIMITS.get(file, SIGNATURE_BYTES)
            if each.file_size is not None and each.file_size > limit:
                raise BundleError(f"{file} of version {version} is larger than {limit:,} bytes")
        folder = scratch / "bundle"
        folder.mkdir()
        for file in sizes:
            download_artifacts(
                artifact_uri=f"{where}/{file}",
                dst_path=str(folder),
                tracking_uri=self.tracking_uri,
            )
        return folder

    # --- aliases --------------------------------------------------------------------

    def _aliases(self, client: Any, name: str) -> dict[str, str]:
        found = client.get_registered_model(check_name(name)).aliases
        return {str(alias): str(version) for alias, version in found.items()}

    def _named(self, client: Any, name: str, version: str) -> Named:
        """A version by number or alias, with the digest its bundle must have."""
        number = version if version.isdecimal() else self._aliases(client, name).get(version)
        if number is None:
            raise VersionUnknown(
                f"'{name}' has no version or alias '{version[:80]}'", fix="see: leadml models list"
            )
        found = client.get_model_version(check_name(name), number)
        return Named.checked(str(found.version), found.tags.get(DIGEST_TAG))

    def _move(
        self, client: Any, name: str, named: Named, reason: str, history: Sequence[str]
    ) -> None:
        """Alias, then pointer; what explains it before both."""
        past = [*history, named.version][-_HISTORY_LENGTH:]
        client.set_model_version_tag(name, named.version, "leadml.promoted_at", _now())
        client.set_model_version_tag(
            name, named.version, "leadml.promoted_reason", reason[:_TAG_LENGTH]
        )
        client.set_registered_model_alias(name, CHAMPION, named.version)
        client.set_registered_model_tag(name, _HISTORY_TAG, " ".join(past))
        write_pointer(self.models_dir, name, named)


def _history(client: Any, name: str) -> list[str]:
    tags = client.get_registered_model(name).tags
    return [each for each in str(tags.get(_HISTORY_TAG, "")).split() if each.isdecimal()]


def _before(history: Sequence[str], current: str) -> str | None:
    return next((each for each in reversed(history) if each != current), None)


def _info(version: Any, aliases: tuple[str, ...]) -> VersionInfo:
    tags = version.tags
    created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    return VersionInfo(
        version=str(version.version),
        aliases=aliases,
        created_at=created.isoformat(timespec="seconds").replace("+00:00", "Z"),
        metrics=_headlines(tags.get(_METRICS_TAG, "")),
        verdict=tags.get(_VERDICT_TAG, ""),
        run_id=version.run_id or "",
        digest=tags.get(DIGEST_TAG, ""),
        promoted_at=tags.get("leadml.promoted_at", ""),
        reason=tags.get("leadml.promoted_reason", ""),
    )


def _headlines(spelled: str) -> dict[str, float]:
    import orjson

    try:
        data = orjson.loads(spelled)
    except orjson.JSONDecodeError:
        return {}  # a version that leadml did not register
    return dict(_figures(data)) if isinstance(data, dict) else {}


# --- what a run says ---------------------------------------------------------------


def _figures(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for key, figure in metrics.items():
        if isinstance(figure, Mapping):
            for part, suffix in (("value", ""), ("low", "_low"), ("high", "_high")):
                if isinstance(figure.get(part), int | float):
                    yield key + suffix, float(figure[part])
        elif isinstance(figure, int | float) and not isinstance(figure, bool):
            yield key, float(figure)


def _metrics(facts: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Figures of a run: metrics with their intervals, baselines, counts."""
    yield from _figures(facts.get("metrics", {}))
    for baseline in facts.get("baselines", ()):
        word = _NOT_IN_KEYS.sub("", str(baseline.get("name", ""))).strip().replace(" ", "_")
        for key, value in _figures({k: v for k, v in baseline.items() if k != "name"}):
            yield f"baseline/{word}/{key}", value
    for part, keys in (
        ("data", ("n_rows", "n_leads", "n_conversions", "base_rate")),
        ("size", ("columns", "pairs", "cells", "trees")),
        ("proof", ("rows", "max_difference")),
        ("model", ("seconds",)),
    ):
        section = facts.get(part, {})
        for key, value in _figures({key: section[key] for key in keys if key in section}):
            yield f"{part}/{key}", value


def _seen(told: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Figures of a version in use: live metrics, drift per column, proposals."""
    for key, value in _figures(told.get("metrics", {})):
        yield f"live/{key}", value
    for key in ("n_leads", "n_conversions"):
        yield f"live/{key}", float(told.get(key, 0))
    drift = told.get("drift", {})
    for part in (drift.get("probability"), *drift.get("inputs", ())):
        if part is not None:
            yield f"drift/{_NOT_IN_KEYS.sub('', str(part['name']))[:200]}", float(part["psi"])
    capacity = told.get("capacity", {})
    for key in ("proposals", "capacity_per_week"):
        if key in capacity:
            yield f"capacity/{key}", float(capacity[key])
    yield "needs_look", float(bool(told.get("needs_look")))


def _flat(params: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in params.items():
        name = _NOT_IN_KEYS.sub("_", f"{above}{key}")[:250]
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list | tuple | set | frozenset):
            yield name, ", ".join(str(each) for each in value)
        else:
            yield name, str(value)


def _run_name(name: str) -> str:
    return f"{name} {datetime.now(UTC):%Y-%m-%d %H:%M}"


def _run_tags(facts: Mapping[str, Any]) -> dict[str, str]:
    verdict, data = facts.get("verdict", {}), facts.get("data", {})
    tags = {
        "mlflow.source.name": "leadml train",
        "mlflow.source.type": "JOB",
        "mlflow.note.content": verdict.get("sentence", ""),
        _VERDICT_TAG: verdict.get("word", ""),
        "leadml.verdict_rule": verdict.get("rule", ""),
        "leadml.protocol": facts.get("protocol", {}).get("name", ""),
        "leadml.data_digest": data.get("digest", ""),
        "leadml.version": leadml.__version__,
    }
    return {key: str(value)[:_TAG_LENGTH] for key, value in tags.items() if value}


def _log_data(client: Any, run_id: str, facts: Mapping[str, Any]) -> None:
    """Name the data by its digest; the rows stay where they are."""
    from mlflow.entities import Dataset, DatasetInput

    data = facts.get("data", {})
    if not data.get("digest"):
        return
    profile = {key: data[key] for key in ("n_rows", "n_leads", "n_conversions") if key in data}
    client.log_inputs(
        run_id,
        [
            DatasetInput(
                Dataset(
                    name=Path(str(data.get("source", "leads"))).name[:200] or "leads",
                    digest=str(data["digest"])[:36],
                    source_type="local",
                    source=canonical({"sha256": str(data["digest"])}).decode().strip(),
                    profile=canonical(profile).decode().strip(),
                )
            )
        ],
    )


def _save_pyfunc(folder: Path, made: Bundle, run_id: str, model_id: str) -> None:
    """Write the MLflow model: our bundle, a script of three lines, a signature."""
    from mlflow.models import Model
    from mlflow.pyfunc import save_model

    with tempfile.TemporaryDirectory(prefix="leadml-") as scratch:
        script = Path(scratch) / "leadml_model.py"
        script.write_text(SCRIPT, encoding="utf-8")
        # a link would be followed by MLflow under another name
        bundle = Path(scratch) / "bundle"
        copy_bundle(made.folder, bundle, digest=made.digest)
        save_model(
            path=str(folder),
            mlflow_model=Model(run_id=run_id, model_id=model_id),
            python_model=str(script),
            artifacts={"bundle": str(bundle)},
            signature=_signature(made.scorecard.schema),
            pip_requirements=[f"leadml=={leadml.__version__}", *_REQUIREMENTS],
            metadata={"leadml_digest": made.digest},
        )


def _signature(schema: Schema) -> Any:
    """Inputs are optional and of any type: leadml reads them as it does everywhere else."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec
    from mlflow.types import Schema as Columns
    from mlflow.types.schema import AnyType

    inputs = [ColSpec(AnyType(), name, required=False) for name in sorted(schema.sources)]
    outputs = Columns([ColSpec(kind, name) for name, kind in OUTPUT.items()])
    return ModelSignature(inputs=Columns(inputs) if inputs else None, outputs=outputs)


def _look(uri: str) -> None:
    """Open a database once; MLflow itself would try for a hundred seconds before it says why."""
    if urlsplit(uri).scheme.partition("+")[0] not in _DATABASES:
        return
    from mlflow.store.db.utils import create_sqlalchemy_engine, sqlalchemy

    engine = create_sqlalchemy_engine(uri)
    try:
        sqlalchemy.inspect(engine)
    finally:
        engine.dispose()


# --- MLflow, quiet and by name -----------------------------------------------------


@contextmanager
def _mlflow(uri: str, refusal: str) -> Iterator[None]:
    """Import MLflow, keep it quiet, and give its failures a name of ours, without passwords."""
    password = urlsplit(uri).password

    def refused(error: Exception) -> str:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        if password:
            said = said.replace(password, "…")
        return f"MLflow at {shown_uri(uri)} {refusal}: {said[:300]}"

    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    try:
        from mlflow.exceptions import MlflowException
        from mlflow.store.db.utils import sqlalchemy  # MLflow's own way to its database
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            "the model registry needs MLflow, which is not installed",
            fix="pip install 'leadml[train]'",
        ) from error
    with _quiet():
        try:
            yield
        except LeadmlError:
            raise
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise VersionUnknown(refused(error), fix="see: leadml models list") from error
            if "out-of-date database schema" in str(error):
                raise RegistryError(
                    "the tracking database was made by an older MLflow",
                    fix="back it up, then: mlflow db upgrade URI",
                ) from error
            raise RegistryError(refused(error)) from error
        except ModuleNotFoundError as error:
            raise DriverMissing(refused(error), fix=f"pip install {error.name}") from error
        except (sqlalchemy.exc.SQLAlchemyError, OSError) as error:
            raise RegistryError(refused(error)) from error  # requests' errors are OSErrors


@contextmanager
def _quiet() -> Iterator[None]:
    """Only MLflow's errors are heard while leadml works with it."""
    loggers = [logging.getLogger(name) for name in _QUIET]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
