"""Runs of MLflow: a training with its model, a look at a version in use."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import leadml
from leadml.registry.aliases import DIGEST_TAG
from leadml.registry.bundle import Bundle
from leadml.registry.figures import flat, seen_in_use, training_metrics
from leadml.registry.layout import canonical
from leadml.registry.packing import pack
from leadml.registry.place import artifacts_uri
from leadml.registry.versions import TAG_LENGTH, VERDICT_TAG

__all__ = ["experiments_of", "log_monitoring", "log_training"]

_PARAM_LENGTH: Final = 500
_MODEL_PARAM_LENGTH: Final = 250


def log_training(
    client: Any,
    experiment: str,
    made: Bundle,
    *,
    name: str,
    facts: Mapping[str, Any],
    params: Mapping[str, Any],
    report: str | None,
    figures: Mapping[str, bytes],
) -> tuple[str, str]:
    """Log a training as one run of an experiment; gives the ids of the run and of its model.

    Parameters are those of ``Registry.log_training``.
    """
    run_name = f"{name} {datetime.now(UTC):%Y-%m-%d %H:%M}"
    with _run(client, experiment, run_name, _tags_of_training(facts)) as run:
        model_id = _log_model(client, run, made, facts, params)
        _log_files(client, run.run_id, made, report, figures)
    return str(run.run_id), model_id


def log_monitoring(
    client: Any, experiment: str, name: str, version: str, told: Mapping[str, Any]
) -> str:
    """Log what was seen of a version in use as one run of an experiment; gives its id.

    Parameters are those of ``Registry.log_monitoring``.
    """
    found = client.get_model_version(name, version)
    model_id = getattr(found, "model_id", None)
    signals = (str(signal["code"]) for signal in told.get("signals", ()))
    tags = {
        "leadml.kind": "monitoring",
        "leadml.model_version": f"{name}@{version}",
        "leadml.policy_version": str(told.get("policy_version", "")),
        VERDICT_TAG: str(told.get("verdict", {}).get("word", "")),
        "leadml.signals": " ".join(signals)[:TAG_LENGTH],
        "mlflow.note.content": str(told.get("verdict", {}).get("sentence", "")),
    }
    with (
        _run(client, experiment, f"{name}-{version}-monitoring", tags) as run,
        tempfile.TemporaryDirectory(prefix="leadml-") as scratch,
    ):
        client.log_batch(run.run_id, metrics=_metrics(seen_in_use(told), model_id))
        (Path(scratch) / "performance.json").write_bytes(canonical(told))
        client.log_artifacts(run.run_id, scratch)
    return str(run.run_id)


@contextmanager
def _run(client: Any, experiment: str, run_name: str, tags: Mapping[str, str]) -> Iterator[Any]:
    """A run in the experiment of a name; whatever fails inside marks it ``FAILED``."""
    from mlflow.exceptions import MlflowException

    run = client.create_run(_experiment(client, experiment), run_name=run_name, tags=tags).info
    try:
        yield run
        client.set_terminated(run.run_id, "FINISHED")
    except BaseException:
        with suppress(MlflowException, OSError):  # the first failure is the one to tell
            client.set_terminated(run.run_id, "FAILED")
        raise


def _experiment(client: Any, name: str) -> str:
    """Id of an experiment, made if needed."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            place = artifacts_uri(client.tracking_uri)
            return str(client.create_experiment(name, artifact_location=place))
        except MlflowException:  # another training was faster
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


def experiments_of(client: Any, run_ids: Iterable[str]) -> dict[str, str]:
    """Ids of the experiments of runs, by run; runs that are gone for good are left out."""
    from mlflow.exceptions import MlflowException

    found = {}
    for run_id in filter(None, run_ids):
        try:
            found[run_id] = str(client.get_run(run_id).info.experiment_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
    return found


def _log_model(
    client: Any,
    run: Any,
    made: Bundle,
    facts: Mapping[str, Any],
    params: Mapping[str, Any],
) -> str:
    """Log parameters, metrics, data and the model; returns the model's id."""
    from mlflow.entities import LoggedModelOutput, Param

    said = {key: text[:_PARAM_LENGTH] for key, text in flat(params)}
    model = client.create_logged_model(
        run.experiment_id,
        name=made.name,
        source_run_id=run.run_id,
        params={key: text[:_MODEL_PARAM_LENGTH] for key, text in said.items()},
        tags={DIGEST_TAG: made.digest},
        model_type="leadml scorecard",
    )
    model_id = str(model.model_id)
    client.log_batch(
        run.run_id,
        metrics=_metrics(training_metrics(facts), model_id),
        params=[Param(key, text) for key, text in said.items()],
    )
    _log_data(client, run.run_id, facts)
    with tempfile.TemporaryDirectory(prefix="leadml-") as scratch:
        folder = Path(scratch) / "model"
        pack(folder, made, run.run_id, model_id)
        client.log_model_artifacts(model_id, str(folder))
    client.finalize_logged_model(model_id, "READY")
    client.log_outputs(run.run_id, [LoggedModelOutput(model_id, 0)])
    return model_id


def _metrics(figures: Iterator[tuple[str, float]], model_id: str | None) -> list[Any]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(key, value, now, 0, model_id=model_id) for key, value in figures]


def _log_files(
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


def _tags_of_training(facts: Mapping[str, Any]) -> dict[str, str]:
    verdict, data = facts.get("verdict", {}), facts.get("data", {})
    tags = {
        "mlflow.source.name": "leadml train",
        "mlflow.source.type": "JOB",
        "mlflow.note.content": verdict.get("sentence", ""),
        VERDICT_TAG: verdict.get("word", ""),
        "leadml.verdict_rule": verdict.get("rule", ""),
        "leadml.protocol": facts.get("protocol", {}).get("name", ""),
        "leadml.data_digest": data.get("digest", ""),
        "leadml.version": leadml.__version__,
    }
    return {key: str(value)[:TAG_LENGTH] for key, value in tags.items() if value}


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
