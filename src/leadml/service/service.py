"""What the commands and the routes ask of leadml."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from leadml.errors import (
    BundleError,
    ConfigError,
    ExtraMissing,
    FileMissing,
    MemoryOff,
    NoModel,
    PlanNotApplicable,
    PromotionRefused,
    RegistryError,
)
from leadml.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from leadml.registry.tracking import Registry
    from leadml.service.memory import Memory
    from leadml.service.policies import Policies
    from leadml.service.serving import Served
    from leadml.training.config import TrainConfig
    from leadml.training.rivals import Rival
    from leadml.training.train import TrainingResult

__all__ = ["Leadml", "Progress"]

Progress = Callable[[str, float, float], None]

EXAMPLES = 4
_PART = 1_000


def silent(step: str, done: float = 0.0, total: float = 0.0) -> None:
    """The progress of nobody."""


class Leadml:
    """Everything leadml does, for one set of settings.

    Methods return plain data (what ``--json`` prints) and raise errors of
    ``leadml.errors``. Creating it reads nothing.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    # --- learning ---------------------------------------------------------------

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
        _need_training()
        started = time.perf_counter()
        frame, config, test_frame = self._history(source, dict(options or {}), progress)
        return self._trained(frame, config, test_frame, started, progress)

    def _trained(
        self,
        frame: pd.DataFrame,
        config: TrainConfig,
        test_frame: pd.DataFrame | None,
        started: float,
        progress: Progress,
    ) -> dict[str, Any]:
        """Train on a table that was read, and register the result."""
        from leadml.training.train import train

        registry = self._registry(progress, registering=True)
        result = train(
            frame,
            config,
            test_frame=test_frame,
            champion=self._champion(config.name),
            margin=self.settings.gate_margin,
            jobs=_jobs(),
            progress=progress,
        )
        return self._register(result, config, registry, started, progress)

    def _register(
        self,
        result: TrainingResult,
        config: TrainConfig,
        registry: Registry,
        started: float,
        progress: Progress,
    ) -> dict[str, Any]:
        """Tell a result in a report and a card, and register it as a new version."""
        from leadml.registry.golden import golden_rows
        from leadml.registry.writing import write_bundle
        from leadml.reports.card import model_card
        from leadml.reports.page import render_report
        from leadml.reports.pictures import figures

        facts = result.facts
        golden = golden_rows(result.scorecard, result.policy, result.leads)
        facts["examples"] = _examples(result, golden)
        progress("drawing the report", 0, 1)
        report, card, drawn = render_report(facts), model_card(facts), figures(facts)
        progress("drawing the report", 1, 1)
        with tempfile.TemporaryDirectory(prefix="leadml-") as scratch:
            folder = Path(scratch) / "bundle"
            write_bundle(
                folder,
                scorecard=result.scorecard,
                policy=result.policy,
                metrics=facts,
                golden=golden,
                card=card,
                signing_key=self.settings.signing_key or None,
            )
            registered = registry.log_training(
                folder,
                facts=facts,
                params=config.as_dict(),
                report=report,
                figures={f"{name.removesuffix('.png')}.png": png for name, png in drawn.items()},
                name=config.name,
            )
        return {
            "model": registered.name,
            "version": registered.version,
            "alias": registered.alias,
            "run_id": registered.run_id,
            "bundle": str(registered.bundle),
            "verdict": facts["verdict"],
            "n_leads": facts["data"]["n_leads"],
            "n_conversions": facts["data"]["n_conversions"],
            "metrics": facts["metrics"],
            "policy": facts["policy"],
            "checks": facts["checks"],
            "gate": facts["gate"],
            "notes": facts["notes"],
            "protocol": facts["protocol"],
            "seconds": round(time.perf_counter() - started, 1),
        }

    def recalibrate(
        self, source: str, options: Mapping[str, Any] | None = None, progress: Progress = silent
    ) -> dict[str, Any]:
        """Move only the champion's intercept, from the newest mature outcomes.

        Options are those of :meth:`train`; what the champion was trained with is the
        default. Registers a new version, held against the same gate.
        """
        _need_training()
        from leadml.training.refreshing import recalibrate

        started = time.perf_counter()
        name, asked = self._as_champion(options)
        champion = self._champion(name)
        if champion is None:
            raise NoModel(
                f"'{name}' has no champion to recalibrate",
                fix="train one: leadml train FILE --target COLUMN",
            )
        frame, config, _ = self._history(source, asked, progress)
        registry = self._registry(progress, registering=True)
        served = self.served()
        margin = self.settings.gate_margin
        result = recalibrate(
            frame, config, champion, served.facts, margin=margin, progress=progress
        )
        return self._register(result, config, registry, started, progress)

    def retrain(
        self, source: str, options: Mapping[str, Any] | None = None, progress: Progress = silent
    ) -> dict[str, Any]:
        """Train on a newer history as the champion was, and promote what passes the gate.

        For schedulers: the answer's ``promoted`` says what happened and ``summary`` why, in
        one line. On the data and configuration of the champion nothing is trained
        (``nothing_new``). Killed at any moment, the champion stays.
        """
        _need_training()
        started = time.perf_counter()
        name, asked = self._as_champion(options)
        frame, config, test_frame = self._history(source, asked, progress)
        champion = self._champion(name)
        if champion is not None and _unchanged(champion, frame, config):
            return {
                "model": name,
                "promoted": False,
                "nothing_new": True,
                "summary": f"{name}: nothing new; the champion was trained on these very data, "
                "asked the same.",
            }
        found = self._trained(frame, config, test_frame, started, progress)
        gate = found["gate"]
        promoted = found["alias"] == "champion"
        if not promoted and gate["passed"]:
            self._registry(progress).promote(
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
        _need_training()
        from leadml.scorecard.editing import edit
        from leadml.training.train import Given, train

        if not edits or not reason.strip():
            raise ConfigError(
                "an edit needs a column to change and a reason",
                fix="say, for instance: --flatten city --reason 'cities were recorded late'",
            )
        started = time.perf_counter()
        served = self.served(version)
        why = f"{reason.strip()} (by {by})" if by else reason.strip()
        asked = dict(served.facts.get("config", {}))
        before = str(asked.get("edits_why", ""))
        like = {
            **asked,
            "edits": _joined(asked.get("edits", {}), edits),
            "edits_why": f"{before}; {why}" if before else why,
        }
        edit(served.scorer.scorecard, edits)  # refused before anything is read
        frame, config, _ = self._history(source, {"like": like, "outcomes": outcomes}, progress)
        registry = self._registry(progress, registering=True)
        result = train(
            frame,
            config,
            champion=self._champion(config.name),
            given=Given(served.versions.model, served.scorer.scorecard, served.facts),
            margin=self.settings.gate_margin,
            jobs=_jobs(),
            progress=progress,
        )
        return self._register(result, config, registry, started, progress)

    def _as_champion(self, options: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
        """Options that repeat the champion's training where nothing else is said."""
        asked = dict(options or {})
        name = str(asked.get("name") or self.settings.model_name)
        champion = self._champion(name)
        if champion is not None and "config" not in asked:
            asked["like"] = champion.config
        return name, asked

    def check(
        self, source: str, options: Mapping[str, Any] | None = None, progress: Progress = silent
    ) -> dict[str, Any]:
        """Run the numbered checks on a history, without training."""
        _need_training()
        from leadml.training.checking import check_history
        from leadml.training.labels import label
        from leadml.training.selecting import select_columns
        from leadml.training.train import order_of

        frame, config, _ = self._history(source, dict(options or {}), progress)
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

    def _champion(self, name: str) -> Rival | None:
        """The champion in place, as something to be compared with."""
        from datetime import UTC, datetime, timedelta

        from leadml.registry.champion import Champion
        from leadml.service.serving import verify_keys
        from leadml.training.rivals import Rival

        pointer = Champion(
            Path(self.settings.models_dir),
            name,
            tracking_uri=self.settings.tracking_uri,
            keys=verify_keys(self.settings),
        )
        try:
            version, bundle = pointer.current()
        except (NoModel, BundleError):
            return None  # nothing that serves: nothing to compare with
        finally:
            pointer.close()
        period = bundle.metrics.get("data", {}).get("period", {})
        seen = None
        if "to" in period:
            newest = datetime.fromisoformat(period["to"]).replace(tzinfo=UTC)
            seen = (newest + timedelta(days=1)).timestamp()
        return Rival(
            f"{name}@{version}",
            bundle.scorecard,
            bundle.metrics.get("config", {}),
            seen,
            digest=bundle.metrics.get("data", {}).get("digest", ""),
            made_by=str(bundle.manifest.get("made", {}).get("leadml_version", "")),
        )

    def _registry(self, progress: Progress = silent, *, registering: bool = False) -> Registry:
        """MLflow and the models folder; keys that could not sign are refused at once."""
        from leadml.registry.signing import check_pair
        from leadml.registry.tracking import Registry
        from leadml.service.serving import verify_keys

        keys = verify_keys(self.settings)
        if registering:
            check_pair(self.settings.signing_key or None, keys)
        return Registry(
            self.settings.tracking_uri or "sqlite:///mlflow.db",
            Path(self.settings.models_dir),
            progress=lambda step: progress(step, 0, 1),
            keys=keys,
        )

    def _history(
        self, source: str, options: dict[str, Any], progress: Progress
    ) -> tuple[pd.DataFrame, TrainConfig, pd.DataFrame | None]:
        """The table, what to learn from it, and a table to test on."""
        from leadml.datasets.join import join_outcomes
        from leadml.datasets.read import read_table
        from leadml.training.config import TrainConfig, load_config
        from leadml.training.guess import guess

        file, query, test, like = (
            options.pop(key, None) for key in ("config", "query", "test", "like")
        )
        config = load_config(file) if file is not None else TrainConfig.from_dict(like or {})
        asked, usual = options.get("outcome"), TrainConfig().outcome
        config = config.with_options(**options)
        no_target = not config.target
        progress("reading the table", 0, 1)
        frame = read_table(source, query=query, text=config.as_text)
        if config.outcomes:
            outcomes = read_table(config.outcomes)
            if like is not None and config.outcome_at not in outcomes.columns:
                config = replace(config, outcome_at="")  # named by the join of that training
            joined = join_outcomes(
                frame,
                outcomes,
                config.outcomes_join,
                created_at=config.created_at,
                outcome_at=config.outcome_at,
                outcome=config.outcome,
                among=config.among,
            )
            frame, config = joined.frame, joined.configured(config)
        elif asked not in (None, usual) or config.among or (config.outcome != usual and no_target):
            raise ConfigError(
                f"'{config.outcome}' is looked for in a second table of outcomes",
                fix="name it behind the first: leadml train leads.csv outcomes.csv",
            )
        if file is None and like is None:
            config = guess(frame, config.target).fill(config)
        test_frame = read_table(test, text=config.as_text) if test else None
        progress("reading the table", 1, 1)
        return frame, config, test_frame

    def init(
        self, source: str, output: Path = Path("leadml.toml"), force: bool = False
    ) -> dict[str, Any]:
        """Guess what the columns of a table mean and write a commented ``leadml.toml``."""
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

    # --- scoring ------------------------------------------------------------------

    def served(self, version: str | None = None) -> Served:
        """The champion, or a version by its number or alias, laid out for scoring."""
        from leadml.service.serving import Served, Serving, verify_keys

        if version is None:
            serving = Serving.of(self.settings, trial=False)
            serving.refresh()
            return serving.current()
        from leadml.registry.bundle import read_bundle

        folder = self._registry().fetch(self.settings.model_name, version)
        bundle = read_bundle(folder, keys=verify_keys(self.settings))
        return Served.of(self.settings.model_name, folder.name, bundle)

    def served_as_answered(self, version: str | None = None) -> Served:
        """As :meth:`served`, with the lines that a server on the same memory would draw.

        Without a memory, or where nobody wrote a policy, the model's own lines hold.

        Raises
        ------
        StoreUnavailable
            The memory that the settings name does not answer.
        """
        served = self.served(version)
        try:
            with self._memory() as memory:
                changed = memory.policy()
        except (FileMissing, MemoryOff):
            return served
        try:
            return served.under(changed)
        except PlanNotApplicable:  # as a server, which shows it under `degraded`
            return served

    def score_file(
        self,
        source: str,
        output: Path,
        *,
        model: str | None = None,
        reasons: int = 3,
        allow_missing: bool = False,
        progress: Progress = silent,
    ) -> dict[str, Any]:
        """Score a table of leads into a CSV or Parquet file."""
        from leadml.datasets.read import read_table
        from leadml.datasets.write import write_table
        from leadml.service.files import refuse_missing_columns, score_table

        served = self.served_as_answered(model)
        progress("reading the table", 0, 1)
        schema = served.scorer.schema
        texts = [c.source for c in schema.columns if c.kind == "category" or c.derive]
        frame = read_table(source, text=texts)
        progress("reading the table", 1, 1)
        if not allow_missing:
            refuse_missing_columns(frame, schema)
        progress("scoring", 0, 1)
        found = score_table(served, frame, reasons)
        progress("scoring", 1, 1)
        write_table(found, output)
        return {
            "output": str(output),
            "n_leads": len(found),
            "model_version": served.versions.model,
            "policy_version": served.versions.policy,
            "stages": found["proposed_stage"].value_counts().to_dict(),
        }

    # --- looking back ---------------------------------------------------------------

    @contextmanager
    def _memory(self, *, make: bool = False) -> Iterator[Memory]:
        """The memory that the settings name; unless ``make``, one must be there."""
        from leadml.service.memory import Memory

        url = self.settings.database_url
        path = Path(url.removeprefix("sqlite:///"))
        if not make and url.startswith("sqlite:///") and not path.exists():
            raise FileMissing(
                f"there is no memory '{path}'",
                fix="leadml serve makes one; or correct LEADML_DATABASE_URL",
            )
        memory = Memory(self.settings)
        try:
            memory.open()
            yield memory
        finally:
            memory.close()

    @contextmanager
    def policies(self) -> Iterator[Policies]:
        """The policy of the champion, to be looked at, tried and changed; see the class."""
        from leadml.service.policies import Policies
        from leadml.service.serving import Serving

        with self._memory(make=True) as memory:
            serving = Serving.of(self.settings, trial=False)
            serving.refresh()
            serving.follow_policy(memory.policy)
            serving.refresh_policy()
            yield Policies(memory, serving)

    def monitor(
        self, weeks: int = 12, *, track: bool = True, progress: Progress = silent
    ) -> dict[str, Any]:
        """What was predicted of matured leads and what happened; see docs/monitoring.md.

        Parameters
        ----------
        weeks
            Matured weeks to look back.
        track
            Write a run of the served version to MLflow; the answer's ``run_id`` names it, or
            ``not_tracked`` says why there is none: the figures stand all the same.
        """
        from leadml.service.past import Past
        from leadml.service.serving import Serving
        from leadml.service.watching import Watch

        if track:
            _need_training()
        with self._memory() as memory:
            serving = Serving.of(self.settings, trial=False)
            serving.refresh()
            serving.follow_policy(memory.policy)
            serving.refresh_policy()
            served = serving.current()
            progress("looking back", 0, 1)
            found = Watch(Past(memory)).report(served, weeks)
            progress("looking back", 1, 1)
        if track:
            try:
                found["run_id"] = self._registry(progress).log_monitoring(
                    served.name, served.version, found
                )
            except RegistryError as error:
                found["not_tracked"] = {"code": error.code, "detail": error.detail}
        return found

    def export_outcomes(
        self,
        output: Path,
        *,
        config: Path | None = None,
        horizon_days: int | None = None,
        as_of: datetime | None = None,
        outcome: str | None = None,
        every_decision: bool = False,
        progress: Progress = silent,
    ) -> dict[str, Any]:
        """Write the next training table and the configuration that fits it.

        Parameters
        ----------
        output, config
            Where to write them; the second beside the first if left out.
        horizon_days, outcome
            What counts as a conversion; as the champion was trained if left out.
        as_of
            The present of the table; now if left out.
        every_decision
            A row for each decision, not only for the first of each lead.
        """
        _need_training()
        from leadml.datasets.write import write_table
        from leadml.leads import Outcome
        from leadml.service.files import frame_of
        from leadml.service.lessons import config_for, since_recorded
        from leadml.service.past import USUAL_HORIZON_DAYS
        from leadml.training.config import dump_config

        champion = self._champion(self.settings.model_name)
        like = {} if champion is None else dict(champion.config)
        counted = outcome or str(like.get("outcome") or Outcome.WON)
        if counted not in {str(word) for word in Outcome}:
            raise ConfigError(
                "there is no such outcome", fix=f"use one of: {', '.join(map(str, Outcome))}"
            )
        horizon = horizon_days or self._horizon() or USUAL_HORIZON_DAYS
        with self._memory() as memory:
            progress("reading the memory", 0, 1)
            table = memory.require().training_table(
                horizon,
                as_of=as_of,
                outcome=Outcome(counted),
                which="all" if every_decision else "first",
            )
            progress("reading the memory", 1, 1)
        table, recorded_from = since_recorded(table)
        made = replace(config_for(table, like), outcome=counted)
        target = config or output.with_name(output.name.split(".")[0] + ".toml")
        write_table(frame_of(table), output, safe=False)
        target.write_text(dump_config(made), encoding="utf-8")
        known = [row for row in table.rows if "converted" in row]
        return {
            "output": str(output),
            "config": str(target),
            "n_rows": len(table.rows),
            "n_conversions": sum(row["converted"] for row in known),
            "n_immature": table.n_immature,
            "n_left_out": table.n_left_out,
            **({"recorded_from": recorded_from} if recorded_from else {}),
            "clashes": list(table.clashes),
            "horizon_days": horizon,
            "outcome": counted,
            "as_of": table.settings["as_of"],
        }

    def _horizon(self) -> int | None:
        """The horizon of the champion; None without one."""
        try:
            told = self.served().facts.get("labels", {}).get("horizon_days")
        except NoModel:
            return None
        return None if told is None else int(told)

    def import_history(
        self,
        source: str,
        outcomes: str | None = None,
        *,
        key: str | None = None,
        created_at: str | None = None,
        outcome_at: str | None = None,
        consent: str = "",
        config: Path | None = None,
        progress: Progress = silent,
    ) -> dict[str, Any]:
        """Bring a history into the memory: leads as known at their creation, and outcomes.

        Parameters
        ----------
        source, outcomes
            Tables of leads and of outcomes; without the second, the outcome columns of the
            champion's training (or of ``config``) are read from the first.
        key, created_at, outcome_at, consent
            Columns; as the champion was trained if left out.
        config
            A leadml.toml that names columns, in place of the champion's.
        """
        _need_training()
        from itertools import islice

        from leadml.datasets.join import join_outcomes
        from leadml.datasets.read import read_table
        from leadml.service.history import Brought, bring
        from leadml.service.lessons import arrivals_of, reports_of
        from leadml.training.config import TrainConfig, load_config
        from leadml.training.labels import label

        served = self.served()
        asked = (
            load_config(config)
            if config is not None
            else TrainConfig.from_dict(served.facts.get("config", {}))
        )
        progress("reading the tables", 0, 1)
        frame = read_table(source, text=asked.as_text)
        key, created_at = key or asked.id, created_at or asked.created_at
        left_out = {asked.target, asked.outcome_at, *asked.dropped} - {""}
        if outcomes is not None:
            told = read_table(outcomes)
            joined = join_outcomes(
                frame,
                told,
                key if key in told.columns else "",
                created_at=created_at if created_at in frame.columns else "",
                outcome_at=outcome_at or "",
            )
            key, created_at = joined.key, joined.created_at
            reports = list(reports_of(told, key=key, outcome_at=joined.outcome_at))
        else:
            ever = replace(asked, as_of="", horizon_days=None, created_at="", outcome_at="")
            column = outcome_at or asked.outcome_at
            won = frame[label(frame, ever).converted == 1]
            there = [name for name in (key, column) if name in won.columns]
            reports = list(reports_of(won[there], key=key, outcome_at=column))
        arrivals = arrivals_of(
            frame, key=key, created_at=created_at, consent=consent, left_out=left_out
        )
        progress("reading the tables", 1, 1)
        found = Brought()
        done, total = 0, len(frame) + len(reports)
        with self._memory(make=True) as memory:
            served = served.under(memory.policy())
            while part := list(islice(arrivals, _PART)):
                found.add(bring(memory, served, part, []))
                done += len(part)
                progress("bringing in", done, total)
            for start in range(0, len(reports), _PART):
                found.add(bring(memory, served, [], reports[start : start + _PART]))
                done += len(reports[start : start + _PART])
                progress("bringing in", done, total)
        return {"model_version": served.versions.model, **found.as_dict()}

    def replay(
        self,
        decision_ids: Sequence[str] = (),
        *,
        sample: int | None = None,
        since: datetime | None = None,
        progress: Progress = silent,
    ) -> dict[str, Any]:
        """Compute past decisions again from their records and bundles, bit for bit.

        Parameters
        ----------
        decision_ids
            These; otherwise ``sample`` of them at random, or all made ``since``.
        """
        from leadml.service.replaying import Replayer, told_of
        from leadml.store.records import us_of

        def fetch(name: str, version: str) -> Path:
            _need_training()
            return self._registry(progress).fetch(name, version)

        with self._memory() as memory:
            store = memory.require()
            replayer = Replayer(self.settings, fetch)

            def records() -> Iterator[dict[str, Any]]:
                if decision_ids or sample is not None:
                    ids = list(decision_ids) or None
                    yield from store.decisions(ids=ids, sample=sample, since=since)
                    return
                after = None
                while page := store.decisions(since=since, after=after):
                    yield from page
                    last = page[-1]
                    after = (us_of(datetime.fromisoformat(last["at"])), last["decision_id"])

            found = replayer.replay_all(
                records(),
                lambda done: progress("replaying", done, len(decision_ids) or sample or 0),
            )
        known = found["n"]
        unknown = len(set(decision_ids)) - known if decision_ids else 0
        if unknown > 0:
            found["n_unknown"] = unknown
        found["same"] = known > 0 and found["n_same"] == known and unknown <= 0
        found["sentence"] = told_of(found) + (
            f" {unknown:,} of the ids are not known." if unknown > 0 else ""
        )
        return found

    # --- versions -------------------------------------------------------------------

    def models(self) -> list[dict[str, Any]]:
        """Registered versions, newest first."""
        _need_training()
        found = self._registry().versions(self.settings.model_name)
        return [version.as_dict() for version in found]

    def promote(self, version: str, reason: str = "", overrule: str = "") -> dict[str, Any]:
        """Make a version the champion; a running server follows by itself.

        Raises
        ------
        PromotionRefused
            A line of the gate failed when the version was tested, and no reason to
            overrule it was given.
        """
        _need_training()
        served = self.served(version)
        gate = served.facts.get("gate", {})
        if not gate.get("passed", True) and not overrule.strip():
            raise PromotionRefused(
                gate["sentence"],
                fix="mend what failed and train again, or overrule it: --overrule 'why'",
            )
        if overrule.strip():
            reason = f"{reason}; overruled: {overrule}" if reason else f"overruled: {overrule}"
        return self._registry().promote(self.settings.model_name, version, reason).as_dict()

    def rollback(self, reason: str = "") -> dict[str, Any]:
        """Make the champion before this one champion again."""
        _need_training()
        return self._registry().rollback(self.settings.model_name, reason).as_dict()

    def report(
        self,
        version: str | None = None,
        output: Path | None = None,
        form: Literal["html", "md", "png"] | None = None,
    ) -> dict[str, Any]:
        """Write the report of a version as one file.

        Parameters
        ----------
        version
            The champion if left out.
        output
            Where to; named after the version if left out.
        form
            ``html`` for the whole report, ``md`` for the model card in Markdown, ``png``
            for a slide; by the ending of ``output`` if left out.

        Raises
        ------
        ConfigError
            The ending of ``output`` is none of these.
        """
        _need_training()
        from leadml.reports.card import model_card
        from leadml.reports.page import render_report
        from leadml.reports.slide import slide

        form = form or _form_of(output)
        served = self.served(version)
        facts = dict(served.facts)
        facts["model"] = {**facts.get("model", {}), "name": served.name, "version": served.version}
        facts["policy"] = served.policy.as_dict()
        target = Path(output or f"{served.name}-{served.version}-report.{form}")
        if form == "png":
            content = slide(facts)
        else:
            content = (render_report if form == "html" else model_card)(facts).encode()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return {
            "report": str(target),
            "form": form,
            "bytes": len(content),
            "model_version": served.versions.model,
        }

    # --- data -------------------------------------------------------------------------

    def simulate(self, n_leads: int, folder: Path, seed: int = 0) -> dict[str, Any]:
        """Write a simulated CRM history; its truth stands in a folder of its own."""
        _need_training()
        from leadml.datasets.simulate import simulate, write_history

        files = write_history(simulate(n_leads, seed=seed), folder)
        return {"folder": str(folder), "files": [str(file) for file in files], "n_leads": n_leads}

    def seed_memory(self, n_leads: int, seed: int = 0) -> dict[str, int]:
        """Fill an empty memory with months of simulated business, for a look at the pages.

        Nothing is added where decisions are remembered already.
        """
        _need_training()
        from leadml.service.memory import Memory
        from leadml.service.seeding import seed_memory

        memory = Memory(self.settings)
        try:
            if memory.open().first_decision() is not None:
                return {"leads": 0, "decisions": 0, "outcomes": 0}
        finally:
            memory.close()
        return seed_memory(self.settings, n_leads, seed)

    def data_list(self) -> list[dict[str, Any]]:
        """The public data sets that leadml knows."""
        from leadml.datasets.catalog import CATALOG

        return [entry.as_dict() for entry in CATALOG.values()]

    def data_get(
        self, name: str, into: Path = Path("data"), progress: Progress = silent
    ) -> dict[str, Any]:
        """Bring one public data set, verified by digest."""
        _need_training()
        from leadml.datasets.catalog import get

        mirror = self.settings.data_mirror
        if mirror and not Path(mirror).is_dir():
            raise FileMissing(
                f"the mirror '{mirror}' is no folder", fix="correct LEADML_DATA_MIRROR"
            )
        files = get(name, into=into, mirror=Path(mirror) if mirror else None, progress=progress)
        return {"name": name, "files": [str(file) for file in files]}


def _joined(before: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Edits of a version with further ones; repeating an edit changes nothing."""
    found = dict(before)
    for column, words in more.items():
        found[column] = f"{found[column]}, {words}" if column in found else words
    return found


def _examples(result: TrainingResult, golden: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A strong, two middling and a weak lead, answered as the API would.

    They are taken from the golden rows, whose fields come from different leads: no real
    person stands in a report or in MLflow.
    """
    from leadml.scorecard import Scorer
    from leadml.service.answers import Versions, answers

    leads = [row["lead"] for row in golden if len(row["lead"]) > 1]
    name = str(result.facts["model"]["name"])
    found = answers(
        Scorer(result.scorecard),
        result.policy,
        Versions(name, result.policy.version),
        [None] * len(leads),
        leads,
        None,
    )
    ranked = sorted(
        (one for one in found if isinstance(one, dict)), key=lambda one: -one["probability"]
    )
    if not ranked:
        return []
    last = len(ranked) - 1
    places = sorted({round(last * k / (EXAMPLES - 1)) for k in range(EXAMPLES)})
    return [
        {"lead_id": f"example {number}", **ranked[place]}
        for number, place in enumerate(places, start=1)
    ]


def _jobs() -> int:
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


def _unchanged(champion: Rival, frame: pd.DataFrame, config: TrainConfig) -> bool:
    """Whether a training would learn the very same: data, configuration, leadml."""
    from leadml import __version__

    digest = str(frame.attrs.get("digest", ""))
    same = bool(digest) and champion.digest == digest and champion.made_by == __version__
    return same and champion.config == config.as_dict()


def _need_training() -> None:
    """Refuse, in one sentence, what a slim installation cannot do."""
    from importlib.util import find_spec

    gone = [name for name in ("pandas", "sklearn", "lightgbm", "mlflow") if not find_spec(name)]
    if gone:
        raise ExtraMissing(
            f"this needs the learning part of leadml ({', '.join(gone)} not installed)",
            fix="pip install 'leadml[train]'",
        )


def _form_of(output: Path | None) -> Literal["html", "md", "png"]:
    """The form that a file's ending asks for."""
    ending = output.suffix.lower() if output is not None else ".html"
    if ending in (".html", ".htm", ""):
        return "html"
    if ending in (".md", ".png"):
        return "md" if ending == ".md" else "png"
    raise ConfigError(
        f"a report cannot be written as '{ending}'",
        fix="end the file in .html, .md or .png, or name the form by --format",
    )
