"""Facts of the pages, one plain object a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from leadml.errors import (
    InvalidField,
    LeadmlError,
    NoModel,
    PlanNotApplicable,
    StoreUnavailable,
    VersionUnknown,
)
from leadml.scorecard import Scorer
from leadml.scorecard.maps import pair_maps
from leadml.scorecard.scorer import probability_of
from leadml.service.compare import compare
from leadml.service.fresh import Fresh
from leadml.service.leadfacts import LeadFacts
from leadml.service.memory import Memory
from leadml.service.overview import Overview
from leadml.service.past import horizon_of
from leadml.service.policies import Policies
from leadml.service.serving import Served, Serving
from leadml.service.shelf import Shelf
from leadml.service.watching import Watch
from leadml.settings import Settings
from leadml.thresholds import Cohort

__all__ = ["Site", "chance_at", "score_at"]

NOBODY: Final = 1.0


def score_at(scorer: Scorer, probability: float) -> int:
    """The score of a lead that stands exactly at a chance.

    Parameters
    ----------
    probability
        In [0, 1]; above 1 stands for nobody and gives 100.
    """
    if probability > NOBODY:
        return 100
    p = min(max(probability, 1e-12), 1 - 1e-12)
    return scorer.score_of(math.log(p / (1 - p)))


def chance_at(scorer: Scorer, score: int) -> float:
    """The least chance of a lead with this score, in [0, 1]; score 0 gives 0."""
    cuts = scorer.scorecard.reference.score
    return probability_of(cuts[score - 1]) if 0 < score <= len(cuts) else 0.0


class Site:
    """What pages ask: every method returns the facts of one page as plain data.

    A page shows nothing that does not stand in its facts, and the facts are served as
    JSON under the same address with ``?format=json``.

    Parameters
    ----------
    settings
        Name the model, MLflow and the memory.
    serving
        What is served.
    memory
        What is remembered; may be off.
    policies
        Draws lines and tells what they mean.
    """

    def __init__(
        self, settings: Settings, serving: Serving, memory: Memory, policies: Policies
    ) -> None:
        self.settings = settings
        self.serving = serving
        self.memory = memory
        self.policies = policies
        self.shelf = Shelf(settings)
        self.fresh = Fresh()
        self.people = LeadFacts(memory, self.fresh)
        self.first = Overview(memory, Watch(policies.past), self.people, self.fresh)
        self._maps: tuple[str, list[dict[str, Any]]] = ("", [])

    # --- what stands around every page ----------------------------------------------------

    def frame(self) -> dict[str, Any]:
        """Model and policy for the foot of every page; ``model`` is None without one."""
        found: dict[str, Any] = {
            "name": self.settings.model_name,
            "model": None,
            "policy": None,
            "degraded": self.serving.degraded,
        }
        served = self.served()
        if served is not None:
            found["model"] = {"name": served.name, "version": served.version}
            found["policy"] = self._policy_of(served)
        return found

    def served(self) -> Served | None:
        """What is served, if anything is."""
        try:
            return self.serving.current()
        except NoModel:
            return None

    def _policy_of(self, served: Served) -> dict[str, Any]:
        policy = served.policy
        return {
            "version": policy.version,
            "mql": policy.mql,
            "sql": policy.sql,
            "nurture": policy.nurture,
            "mql_score": score_at(served.scorer, policy.mql),
            "sql_score": score_at(served.scorer, policy.sql),
            "basis": policy.basis,
            "capacity_per_week": policy.capacity_per_week,
            "reason": policy.reason,
        }

    # --- overview and leads -----------------------------------------------------------------

    def overview(self) -> dict[str, Any]:
        """The first page; see :meth:`Overview.facts`."""
        return {"name": self.settings.model_name, **self.first.facts(self.served())}

    def leads(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """A page of leads; see :meth:`LeadFacts.listing`."""
        return {"page": "leads", **self.people.listing(self.served(), asked)}

    def lead(self, lead_id: str) -> dict[str, Any]:
        """One lead; see :meth:`LeadFacts.lead`."""
        return {"page": "lead", **self.people.lead(self.served(), lead_id)}

    def report_outcome(self, lead_id: str, outcome: str, *, by: str, reason: str = "") -> str:
        """Keep what became of a lead; see :meth:`LeadFacts.report`."""
        return self.people.report(lead_id, outcome, by=by, reason=reason)

    # --- thresholds -------------------------------------------------------------------------

    def thresholds(self, asked: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Where the lines stand, what others would mean, who moved them.

        Parameters
        ----------
        asked
            Figures of a plan to try, as ``Policies.preview`` takes them; those of the plan
            in force when left out.

        Returns
        -------
        dict
            ``policy`` (in force), ``preview`` (the asked plan beside it, on the same
            leads), ``bins`` (leads and conversions a week by score, two points each),
            ``scores`` (of the lines), ``chances`` (at every tenth score), ``history``
            (newest first), ``can_save``, ``lately`` (what the lines in force really brought,
            see ``Room``; None where nothing is remembered); ``problem`` where lines cannot be
            drawn anew.

        Raises
        ------
        NoModel
            Nothing is served.
        InvalidField
            The figures are no plan.
        """
        served = self.serving.current()
        current = self.policies.current()
        found: dict[str, Any] = {
            "page": "thresholds",
            "name": self.settings.model_name,
            "version": served.version,
            "policy": current,
            "asked": {name: value for name, value in (asked or {}).items() if value is not None},
            "can_save": self.memory.is_on,
            "horizon_days": horizon_of(served).days,
            "preview": None,
            "bins": [],
            "problem": None,
            "history": self._history(served),
            "lately": self._lately(served),
        }
        plan = found["asked"] or current["plan"]
        try:
            preview = self.policies.preview(plan)
            if not found["asked"]:  # the lines in force, not those the plan would draw today
                preview = {**preview, "setting": preview["current"]}
            found["preview"] = preview
            cohort = self.policies.past.looked(served).cohort
        except PlanNotApplicable as error:
            found["problem"] = {"detail": error.detail, "fix": error.fix or ""}
            return found
        found["bins"] = _bins(served.scorer, cohort)
        found["chances"] = [
            {"score": score, "chance": chance_at(served.scorer, score)}
            for score in range(0, 101, 10)
        ]
        found["scores"] = {
            which: {line: score_at(served.scorer, preview[which][line]) for line in ("mql", "sql")}
            for which in ("setting", "current")
        }
        return found

    def _lately(self, served: Served) -> dict[str, Any] | None:
        """Proposals of the last whole weeks under the lines in force, counted once a minute.

        ``recounted``: the same weeks by lines that are too young for whole weeks of their own.
        """
        if not self.memory.is_on:
            return None
        past = self.policies.past
        try:
            room: dict[str, Any] = past.once(
                ("lately", served.versions), lambda: Watch(past).room(served).as_dict()
            )
            return room | {"recounted": self.first.recounted(served, room)}
        except StoreUnavailable:
            return None

    def _history(self, served: Served) -> list[dict[str, Any]]:
        """Versions of the policy with their lines as scores of today's model."""
        try:
            versions = self.policies.versions() if self.memory.is_on else []
        except StoreUnavailable:
            return []
        return [
            {
                **version,
                "mql_score": score_at(served.scorer, version["mql"]),
                "sql_score": score_at(served.scorer, version["sql"]),
            }
            for version in versions
        ]

    def save_policy(
        self, asked: Mapping[str, Any], *, author: str, note: str, after: int | None
    ) -> str:
        """Write a new version of the policy; returns its number. See ``Policies.put``."""
        made = self.policies.put(asked, author=author, note=note, after=after)
        return str(made["policy_version"])

    # --- model ------------------------------------------------------------------------------

    def model(self, version: str | None = None) -> dict[str, Any]:
        """How good a version is, and what it learned.

        Returns
        -------
        dict
            ``version``, ``is_served``, ``facts`` (those of the training), ``policy``,
            ``pairs`` (maps of the strongest pairs, of what is served), ``changes``
            (against the champion before, None without one), ``run`` (where MLflow tells
            more).

        Raises
        ------
        NoModel
            Nothing is served and no version is asked for.
        VersionUnknown
            There is no such version here.
        """
        served = self.served()
        if version is None or (served is not None and version == served.version):
            served = self.serving.current()
            version, is_served = served.version, True
            facts, policy = served.facts, served.policy.as_dict()
            made = served.manifest.get("made", {})
        else:
            told = self.shelf.facts(version)
            if told is None:
                raise VersionUnknown(
                    f"version {version} lies in MLflow alone",
                    fix=f"bring it here: leadml report {version}",
                )
            facts, policy, is_served = told["metrics"], told["policy"], False
            made = told["manifest"].get("made", {})
        return {
            "page": "model",
            "name": self.settings.model_name,
            "version": version,
            "is_served": is_served,
            "made": {key: made[key] for key in ("created_at", "source") if key in made},
            "facts": {
                **facts,
                "model": {
                    **facts.get("model", {}),
                    "name": self.settings.model_name,
                    "version": version,
                },
                "policy": policy,
            },
            "pairs": self._pair_maps(served) if is_served and served is not None else [],
            "changes": self._changes(version),
            "run": self._run(version),
        }

    def _pair_maps(self, served: Served) -> list[dict[str, Any]]:
        digest, maps = self._maps
        if digest != served.digest:
            maps = pair_maps(served.scorer.scorecard)
            self._maps = (served.digest, maps)
        return maps

    def _changes(self, version: str) -> dict[str, Any] | None:
        """A version against the champion before it, else against the version before it."""
        listing = self.shelf.listing()
        history = [number for number in listing["history"] if number != version]
        others = [
            each["version"]
            for each in listing["versions"]
            if each["local"] and int(each["version"]) < int(version)
        ]
        before = next((number for number in reversed(history) if number in others), None)
        before = before or next(iter(others), None)
        return None if before is None else self._compared(version, before)

    def _compared(self, version: str, before: str) -> dict[str, Any] | None:
        try:
            new, old = self.shelf.facts(version), self.shelf.facts(before)
        except LeadmlError:
            return None  # damaged copies are told of by the list of versions
        if new is None or old is None:
            return None
        return {"version": version, "before": before, **compare(new, old)}

    def _run(self, version: str) -> dict[str, Any]:
        """Where the MLflow run of a version is told, as a link or as a command."""
        uri = self.settings.tracking_uri
        told = next(
            (each for each in self.shelf.known().versions if str(each["version"]) == version), {}
        )
        run_id, experiment = str(told.get("run_id", "")), str(told.get("experiment_id", ""))
        found: dict[str, Any] = {"run_id": run_id, "link": "", "command": ""}
        if uri.startswith(("http://", "https://")):
            base = _without_password(uri).rstrip("/")
            if run_id and experiment:
                found["link"] = f"{base}/#/experiments/{quote(experiment)}/runs/{quote(run_id)}"
            else:
                name = quote(self.settings.model_name)
                found["link"] = f"{base}/#/models/{name}/versions/{quote(version)}"
        elif uri.startswith("sqlite:"):
            found["command"] = f"mlflow ui --backend-store-uri {uri}"
        return found

    # --- versions -----------------------------------------------------------------------------

    def versions(self, new: str | None = None, old: str | None = None) -> dict[str, Any]:
        """Champion, challengers, and two of them side by side.

        Parameters
        ----------
        new, old
            Numbers to compare; by default the newest and the champion (or the one before).
        """
        listing = self.shelf.listing()
        if self.shelf.is_stale():
            self.shelf.refresh()
        local = [each["version"] for each in listing["versions"] if each["local"]]
        champion = listing["champion"]
        new = new or (local[0] if local else None)
        if old is None:
            others = [number for number in local if number != new]
            old = champion if champion in others else next(iter(others), None)
        compared = None
        if new is not None and old is not None and new != old:
            compared = self._compared(new, old)
        before = [number for number in listing["history"] if number != champion]
        return {
            "page": "versions",
            "name": self.settings.model_name,
            **listing,
            "rollback_to": before[-1] if before and self.settings.tracking_uri else None,
            "compared": compared,
            "asked": {"new": new, "old": old},
            "local": local,
        }

    def promote(self, version: str, reason: str, *, by: str, overrule: bool = False) -> None:
        """Make a version the champion and serve it; see :meth:`Shelf.promote`.

        Raises
        ------
        InvalidField
            No reason is given.
        """
        _needs_reason(reason)
        self.shelf.promote(version, reason, by=by, overrule=overrule)
        self.serving.refresh()

    def rollback(self, reason: str, *, by: str) -> None:
        """Make the champion before this one champion again; see :meth:`Shelf.rollback`.

        Raises
        ------
        InvalidField
            No reason is given.
        """
        _needs_reason(reason)
        self.shelf.rollback(reason, by=by)
        self.serving.refresh()


def _bins(scorer: Scorer, cohort: Cohort) -> list[dict[str, Any]]:
    """Leads and conversions a week by score, in bands of two points."""
    scale = cohort.leads_per_week / cohort.n
    leads, won = [0] * 50, [0] * 50
    before = (0, 0)
    for step, n, k in zip(
        cohort.steps.tolist(), cohort.leads.tolist(), cohort.won.tolist(), strict=True
    ):
        at = min(score_at(scorer, step) // 2, 49)
        leads[at] += n - before[0]
        won[at] += k - before[1]
        before = (n, k)
    return [
        {
            "from": 2 * i,
            "to": 2 * i + 2,
            "leads": leads[i],
            "conversions": won[i],
            "leads_per_week": leads[i] * scale,
            "conversions_per_week": won[i] * scale,
        }
        for i in range(50)
    ]


def _needs_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidField("a reason is needed", column="reason", fix="say why in a few words")


def _without_password(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
