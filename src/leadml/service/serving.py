"""The model that is served now, followed and swapped whole."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from leadml.errors import LeadmlError, NoModel, PlanNotApplicable
from leadml.registry.bundle import Bundle
from leadml.registry.champion import Champion
from leadml.registry.signing import PublicKeys
from leadml.registry.trial import Limits
from leadml.scorecard import Scorer
from leadml.service.answers import Versions
from leadml.settings import Settings
from leadml.thresholds import Cohort, Policy, ThresholdPlan, policy_of

if TYPE_CHECKING:
    from leadml.store import PolicyVersion

__all__ = ["UNVERIFIED", "Pointer", "Served", "Serving", "verify_keys"]

UNVERIFIED: Final = "bundles are not verified by signature: LEADML_VERIFY_KEY is not set"
"""What a server says once where no public key is named."""

log = logging.getLogger(__name__)


def verify_keys(settings: Settings) -> PublicKeys | None:
    """The keys whose signatures count; None where the settings name none.

    Raises
    ------
    ConfigError
        What ``LEADML_VERIFY_KEY`` names is no public key.
    """
    return PublicKeys.of(settings.verify_key) if settings.verify_key else None


class Pointer(Protocol):
    """What tells which bundle is the champion (see ``registry.champion.Champion``)."""

    @property
    def degraded(self) -> str | None:
        """Why the newest champion may not be held; None when all is well."""
        ...

    @property
    def rejected(self) -> Mapping[str, int]:
        """How many bundles were refused so far, by the code of the reason."""
        ...

    def current(self) -> tuple[str, Bundle]:
        """Version and verified bundle; raises NoModel."""
        ...

    def poll(self) -> bool:
        """Look again; True when the champion moved."""
        ...

    def close(self) -> None:
        """Stop looking."""
        ...


@dataclass(frozen=True, eq=False)
class Served:
    """One model with its policy; never changed, only replaced whole."""

    name: str
    version: str
    scorer: Scorer
    policy: Policy
    facts: dict[str, Any]
    manifest: dict[str, Any]
    digest: str
    versions: Versions
    changed: PolicyVersion | None = None
    """The version of the policy that people wrote; None while the model's own lines hold."""

    @classmethod
    def of(cls, name: str, version: str, bundle: Bundle) -> Served:
        """Lay a verified bundle out for scoring."""
        return cls(
            name=name,
            version=version,
            scorer=Scorer(bundle.scorecard),
            policy=bundle.policy,
            facts=bundle.metrics,
            manifest=bundle.manifest,
            digest=bundle.digest,
            versions=Versions(f"{name}@{version}", bundle.policy.version),
        )

    @cached_property
    def cohort(self) -> Cohort:
        """The leads that the model's own lines were drawn on.

        Raises
        ------
        PlanNotApplicable
            The model does not carry them: it was trained by an earlier leadml.
        """
        told = self.facts.get("cohort")
        if told is None:
            raise PlanNotApplicable(
                f"{self.versions.model} does not say what its lines were drawn on",
                fix="train it again with this version of leadml: leadml retrain FILE",
            )
        return Cohort.from_dict(told)

    @property
    def plan(self) -> ThresholdPlan:
        """What is asked of the lines: by people, else by the training."""
        if self.changed is not None:
            return _plan_in(self.changed)
        told = self.facts.get("plan")
        if told is None:
            return ThresholdPlan(capacity_per_week=self.policy.capacity_per_week)
        return ThresholdPlan.from_dict(told)

    def under(self, changed: PolicyVersion | None) -> Served:
        """The same model with its lines drawn anew by a plan that people wrote.

        Raises
        ------
        PlanNotApplicable
            The model does not carry the leads to draw them on, or the version no plan.
        """
        if changed is None:
            return self
        plan = _plan_in(changed)
        policy = policy_of(self.cohort, plan, str(changed.version))
        versions = Versions(self.versions.model, policy.version)
        return replace(self, policy=policy, versions=versions, changed=changed)


def _plan_in(changed: PolicyVersion) -> ThresholdPlan:
    plan = changed.policy.get("plan")
    if not isinstance(plan, dict):
        raise PlanNotApplicable(
            f"version {changed.version} of the policy holds no plan",
            fix="write one: PUT /v1/policy",
        )
    return ThresholdPlan.from_dict(plan)


class Serving:
    """Holds what is served and follows the champion.

    A reader takes :meth:`current` once per request; the swap replaces one reference,
    so no answer mixes two models.

    Parameters
    ----------
    name
        Name of the registered model, the part of ``model_version`` before the ``@``.
    pointer
        Where the champion is.

    Attributes
    ----------
    swaps
        How often another version took the place of one served.
    """

    def __init__(self, name: str, pointer: Pointer) -> None:
        self.name = name
        self._pointer = pointer
        self._served: Served | None = None
        self._absent = f"no version of '{name}' is served yet"
        self._problem: str | None = None
        self._policy_problem: str | None = None
        self._told: str | None = None
        self.swaps = 0
        self._lock = threading.Lock()
        self._swap = threading.Lock()
        self._bare: Served | None = None
        self._changed: PolicyVersion | None = None
        self._ask_policy: Callable[[], PolicyVersion | None] = lambda: None

    @classmethod
    def of(cls, settings: Settings, *, trial: bool = True) -> Serving:
        """Follow the champion that the settings name; nothing but the public key is read yet.

        Parameters
        ----------
        settings
            Where the models are, and whose signature counts.
        trial
            Try a bundle in a child process before it is read in this one, as a server
            must; a command that ends with its model need not.

        Raises
        ------
        ConfigError
            What ``LEADML_VERIFY_KEY`` names is no public key.
        """
        pointer = Champion(
            Path(settings.models_dir),
            settings.model_name,
            tracking_uri=settings.tracking_uri or None,
            keys=verify_keys(settings),
            trial_limits=Limits() if trial else None,
        )
        return cls(settings.model_name, pointer)

    def current(self) -> Served:
        """What is served now.

        Raises
        ------
        NoModel
            Nothing has been served yet.
        """
        served = self._served
        if served is None:
            raise NoModel(self._absent, fix="train one: leadml train FILE --target COLUMN")
        return served

    @property
    def degraded(self) -> str | None:
        """Why what is served may not be the newest; None when all is well."""
        return self._problem or self._pointer.degraded or self._policy_problem

    @property
    def policy_problem(self) -> str | None:
        """Why the newest policy is not applied; None when it is."""
        return self._policy_problem

    @property
    def rejected(self) -> Mapping[str, int]:
        """How many bundles were refused so far, by the code of the reason."""
        return self._pointer.rejected

    def refresh(self) -> bool:
        """Look at the champion; True when another version is served afterwards.

        Whatever fails, the version served before stays and :attr:`degraded` says why.
        Call it from a worker thread: it reads disk and network.
        """
        with self._lock:
            moved = self._look()
            self._tell()
        if moved:
            log.info("serving", extra={"model_version": self.current().versions.model})
        return moved

    def _look(self) -> bool:
        """As :meth:`refresh`, but for what is logged."""
        moved, problem = False, None
        try:
            moved = self._follow()
        except NoModel as error:
            self._absent = error.detail
        except LeadmlError as error:
            problem = f"{error.code}: {error.detail}"
        self._problem = problem
        return moved

    def _follow(self) -> bool:
        """Serve the champion; True when it is another one than before."""
        moved = self._pointer.poll()
        if self._served is not None and not moved:
            return False
        version, bundle = self._pointer.current()
        before = self._bare
        if before is not None and (before.version, before.digest) == (version, bundle.digest):
            return False
        self._take(Served.of(self.name, version, bundle))
        self.swaps += before is not None
        return True

    def follow_policy(self, ask: Callable[[], PolicyVersion | None]) -> None:
        """Have the lines drawn by the newest version of the policy that ``ask`` gives."""
        self._ask_policy = ask

    def refresh_policy(self) -> bool:
        """Look at the policy; True when other lines are served afterwards.

        While the memory cannot be asked, the lines before hold. Call it from a worker
        thread: it reads the database.

        Raises
        ------
        StoreError
            The memory does not answer.
        """
        changed = self._ask_policy()
        before = self._changed
        if changed is None or (before is not None and before.version == changed.version):
            return False
        self._take(changed=changed)
        self._tell()
        log.info("the policy changed", extra={"policy_version": str(changed.version)})
        return True

    def _take(self, bare: Served | None = None, changed: PolicyVersion | None = None) -> None:
        """Serve another model, or the same one under another policy, in one step."""
        with self._swap:
            self._bare = bare or self._bare
            self._changed = changed or self._changed
            if self._bare is None:
                return
            try:
                served, problem = self._bare.under(self._changed), None
            except LeadmlError as error:
                served = self._bare
                problem = f"{error.code}: {error.detail}; the model's own lines hold"
            self._served, self._policy_problem = served, problem

    def _tell(self) -> None:
        """Log why the newest champion is not served, once for each reason."""
        reason = self.degraded
        if reason is not None and reason != self._told:
            log.warning("the champion could not be followed", extra={"reason": reason})
        self._told = reason

    def close(self) -> None:
        """Stop following; what is served stays."""
        self._pointer.close()
