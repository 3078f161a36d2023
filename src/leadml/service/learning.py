"""What people ask of a history: guessed at, checked, trained on; again and again."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadml.errors import BundleError, ConfigError, NoModel
from leadml.registry.champion import Champion
from leadml.service.models import registry_of, served_of
from leadml.service.progress import Progress, silent
from leadml.service.reading import History, read_history
from leadml.service.registering import register
from leadml.service.serving import verify_keys
from leadml.service.slim import need_training
from leadml.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from leadml.registry.tracking import Registry
    from leadml.training.config import TrainConfig
    from leadml.training.rivals import Rival
    from leadml.training.train import Given, TrainingResult

__all__ = ["Learning", "is_unchanged", "rival_of"]

MOST_JOBS = 8
"""Most processes that learn at once."""


class Learning:
    """Everything that ends in a new version, or would.

    Parameters
    ----------
    settings
        Name the model, MLflow and the keys.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def init(
        self, source: str, output: Path = Path("leadml.toml"), force: bool = False
    ) -> dict[str, Any]:
        """Guess what the columns of a table mean and write a commented ``leadml.toml``."""
        need_training()
        from leadml.datasets.read import read_table
        from leadml.training.config import dump_config
        from leadml.training.guess import guess

        if output.exists() and not force:
            raise ConfigError(
                f"'{output}' is there already", fix="choose another --output, or pass --force"
            )
        found = guess(read_table(source))
        output.write_text(dump_config(found.config, found.notes), encoding="utf-8")
        return {
            "config": str(output),
            "target": found.config.target,
            "guess": found.config.as_dict(),
            "doubts": [str(doubt) for doubt in found.doubts],
        }

    def check(
        self, source: str, options: Mapping[str, Any] | None = None, progress: Progress = silent
    ) -> dict[str, Any]:
        """Run the numbered checks on a history, without training."""
        need_training()
        from leadml.training.checking import check_history
        from leadml.training.labels import label
        from leadml.training.selecting import select_columns
        from leadml.training.train import order_of

        history = read_history(source, options or {}, progress)
        frame, config = history.frame, history.config
        progress("checking", 0, 1)
        labels = label(frame, config)
        selection = select_columns(frame, config, labels.known)
        order, _ = order_of(frame, config, labels)
        found = check_history(frame, config, labels, selection, order=order, now=time.time())
        progress("checking", 1, 1)
        return {
            "source": source,
            "n_rows": len(frame),
            "target": labels.target,
            "positive": labels.positive,
            "blocked": any(finding.blocks for finding in found),
            "checks": [finding.as_dict() for finding in found],
        }

    def train(
        self, source: str, options: Mapping[str, Any] | None = None, progress: Progress = silent
    ) -> dict[str, Any]:
        """Train on a history, test, register; see ``leadml train --help``.

        Parameters
        ----------
        source
            CSV or Parquet file, or a database URL (with the option ``query``).
        options
            Fields of ``TrainConfig``, and ``config`` (a leadml.toml), ``query``,
            ``test`` (a table to test on), ``outcomes`` (a second table).
        progress
            Called with a step, what is done, the total.
        """
        need_training()
        started = time.perf_counter()
        history = read_history(source, options or {}, progress)
        return self._trained(history, started, progress)

    def recalibrate(
        self, source: str, options: Mapping[str, Any] | None = None, progress: Progress = silent
    ) -> dict[str, Any]:
        """Move only the champion's intercept, from the newest mature outcomes.

        Options are those of :meth:`train`; what the champion was trained with is the
        default. Registers a new version, held against the same gate.
        """
        need_training()
        from leadml.training.refreshing import recalibrate

        started = time.perf_counter()
        champion, asked = self._as_champion(options)
        if champion is None:
            raise NoModel(
                f"'{self._name_in(asked)}' has no champion to recalibrate",
                fix="train one: leadml train FILE --target COLUMN",
            )
        history = read_history(source, asked, progress)
        registry = registry_of(self.settings, progress, registering=True)
        result = recalibrate(
            history.frame,
            history.config,
            champion,
            served_of(self.settings.model_copy(update={"model_name": history.config.name})).facts,
            margin=self.settings.gate_margin,
            progress=progress,
        )
        return self._registered(result, history.config, registry, started, progress)

    def retrain(
        self, source: str, options: Mapping[str, Any] | None = None, progress: Progress = silent
    ) -> dict[str, Any]:
        """Train on a newer history as the champion was, and promote what passes the gate.

        For schedulers: the answer's ``promoted`` says what happened and ``summary`` why, in
        one line. On the data and configuration of the champion nothing is trained
        (``nothing_new``). Killed at any moment, the champion stays.
        """
        need_training()
        started = time.perf_counter()
        champion, asked = self._as_champion(options)
        name = self._name_in(asked)
        history = read_history(source, asked, progress)
        if champion is not None and is_unchanged(champion, history.frame, history.config):
            return {
                "model": name,
                "promoted": False,
                "nothing_new": True,
                "summary": f"{name}: nothing new; the champion was trained on these very data, "
                "asked the same.",
            }
        found = self._trained(history, started, progress)
        gate = found["gate"]
        promoted = found["alias"] == "champion"
        if not promoted and gate["passed"]:
            registry_of(self.settings, progress).promote(
                name, found["version"], f"retrained: {gate['sentence']}"
            )
            promoted = True
        what = "promoted" if promoted else "kept the champion"
        loss = found["metrics"]["log_loss"]["value"]
        found["promoted"] = promoted
        found["nothing_new"] = False
        found["summary"] = (
            f"{name}@{found['version']}: {what}; log loss {loss:.4f} on {found['n_leads']} leads, "
            f"{found['n_conversions']} conversions. {gate['sentence']}"
        )
        return found

    def edit(
        self,
        version: str,
        edits: Mapping[str, str],
        source: str,
        *,
        reason: str,
        by: str = "",
        outcomes: str | None = None,
        progress: Progress = silent,
    ) -> dict[str, Any]:
        """Change effects of a version by hand and register the result as a new version.

        Parameters
        ----------
        version
            Number or alias of the version to edit.
        edits
            By column: ``flatten``, ``monotone up``, ``cap -0.5 0.5`` (several with commas).
        source
            A history with outcomes to test the result on; nothing is learned from its
            tested leads.
        reason, by
            Why and by whom; the model card keeps both.
        outcomes
            A second table of outcomes, if the history has one.

        Raises
        ------
        ConfigError
            No edit or no reason is given, or the words of an edit cannot be read.
        ColumnMissing
            The version, or the history, has no such column.
        """
        need_training()
        from leadml.scorecard.editing import edit
        from leadml.training.train import Given

        if not edits or not reason.strip():
            raise ConfigError(
                "an edit needs a column to change and a reason",
                fix="say, for instance: --flatten city --reason 'cities were recorded late'",
            )
        started = time.perf_counter()
        served = served_of(self.settings, version)
        why = f"{reason.strip()} (by {by})" if by else reason.strip()
        asked = dict(served.facts.get("config", {}))
        before = str(asked.get("edits_why", ""))
        like = {
            **asked,
            "edits": _joined(asked.get("edits", {}), edits),
            "edits_why": f"{before}; {why}" if before else why,
        }
        edit(served.scorer.scorecard, edits)  # refused before anything is read
        history = read_history(source, {"like": like, "outcomes": outcomes}, progress)
        given = Given(served.versions.model, served.scorer.scorecard, served.facts)
        return self._trained(history, started, progress, given)

    def _trained(
        self, history: History, started: float, progress: Progress, given: Given | None = None
    ) -> dict[str, Any]:
        """Train on a history that was read, or test what is given on it; register the result."""
        from leadml.training.train import train

        registry = registry_of(self.settings, progress, registering=True)
        result = train(
            history.frame,
            history.config,
            test_frame=history.test,
            champion=rival_of(self.settings, history.config.name),
            given=given,
            margin=self.settings.gate_margin,
            jobs=_jobs(),
            progress=progress,
        )
        return self._registered(result, history.config, registry, started, progress)

    def _registered(
        self,
        result: TrainingResult,
        config: TrainConfig,
        registry: Registry,
        started: float,
        progress: Progress,
    ) -> dict[str, Any]:
        """What is told of a result once it is a new version."""
        signing_key = self.settings.signing_key
        told = register(result, config, registry, signing_key=signing_key, progress=progress)
        return {**told, "seconds": round(time.perf_counter() - started, 1)}

    def _name_in(self, asked: Mapping[str, Any]) -> str:
        return str(asked.get("name") or self.settings.model_name)

    def _as_champion(
        self, options: Mapping[str, Any] | None
    ) -> tuple[Rival | None, dict[str, Any]]:
        """The champion, and options that repeat its training where nothing else is said."""
        asked = dict(options or {})
        champion = rival_of(self.settings, self._name_in(asked))
        if champion is not None and "config" not in asked:
            asked["like"] = champion.config
        return champion, asked


def rival_of(settings: Settings, name: str) -> Rival | None:
    """The champion in place, as something to be compared with; None where none serves."""
    from leadml.training.rivals import Rival

    pointer = Champion(
        Path(settings.models_dir),
        name,
        tracking_uri=settings.tracking_uri,
        keys=verify_keys(settings),
    )
    try:
        version, bundle = pointer.current()
    except (NoModel, BundleError):
        return None
    finally:
        pointer.close()
    data = bundle.metrics.get("data", {})
    seen = None
    if "to" in data.get("period", {}):
        newest = datetime.fromisoformat(data["period"]["to"]).replace(tzinfo=UTC)
        seen = (newest + timedelta(days=1)).timestamp()
    return Rival(
        f"{name}@{version}",
        bundle.scorecard,
        bundle.metrics.get("config", {}),
        seen,
        digest=data.get("digest", ""),
        made_by=str(bundle.manifest.get("made", {}).get("leadml_version", "")),
    )


def is_unchanged(champion: Rival, frame: pd.DataFrame, config: TrainConfig) -> bool:
    """Whether a training would learn the very same: data, configuration, leadml."""
    from leadml import __version__

    digest = str(frame.attrs.get("digest", ""))
    same = bool(digest) and champion.digest == digest and champion.made_by == __version__
    return same and champion.config == config.as_dict()


def _joined(before: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Edits of a version with further ones; repeating an edit changes nothing."""
    found = dict(before)
    for column, words in more.items():
        found[column] = f"{found[column]}, {words}" if column in found else words
    return found


def _jobs() -> int:
    """Processes that learn at once: as many as this one may use."""
    return min(MOST_JOBS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
