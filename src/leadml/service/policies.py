"""The policy as people change it: what holds, what another setting would mean, who changed what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from leadml.errors import ConfigError, InvalidField
from leadml.service.memory import Memory
from leadml.service.past import Looked, Past
from leadml.service.serving import Served, Serving
from leadml.thresholds import (
    Policy,
    ThresholdPlan,
    expectations_of,
    policy_of,
    threshold_curve,
)

__all__ = ["NOTE_LENGTH", "Policies"]

NOTE_LENGTH: Final = 500


class Policies:
    """What routes, pages and commands ask of the policy.

    Parameters
    ----------
    memory
        Keeps the versions; while it is off, the lines of the model hold and cannot change.
    serving
        What is served.
    past
        Leads whose outcome is known.
    """

    def __init__(self, memory: Memory, serving: Serving, past: Past | None = None) -> None:
        self.memory = memory
        self.serving = serving
        self.past = past or Past(memory)

    def current(self) -> dict[str, Any]:
        """The lines in force, the plan they were drawn by, what to expect of them.

        Returns
        -------
        dict
            ``policy_version``, ``model_version``, ``mql``, ``sql``, ``nurture``, ``basis``,
            ``reason``, ``expected``, ``expected_on`` (``training``: what is expected was
            counted on the leads the model was tested on), ``plan``; ``author``, ``note``
            and ``at`` where people wrote it, ``problem`` where it cannot be applied to
            the model that is served.

        Raises
        ------
        NoModel
            Nothing is served yet.
        """
        return self._told(self.serving.current())

    def _told(self, served: Served) -> dict[str, Any]:
        found: dict[str, Any] = {
            "policy_version": served.versions.policy,
            "model_version": served.versions.model,
            **served.policy.as_dict(),
            "expected_on": "training",
            "plan": served.plan.as_dict(),
        }
        if served.changed is not None:
            written = served.changed.as_dict()
            found |= {name: written[name] for name in ("author", "note", "at")}
        problem = self.serving.policy_problem
        if problem is not None:
            found["problem"] = problem
        return found

    def versions(self) -> list[dict[str, Any]]:
        """All versions, newest first, each with the lines it meant when it was written.

        Empty while the lines are those that came with the model.

        Raises
        ------
        MemoryOff, StoreUnavailable
            The memory is off or does not answer.
        """
        found = []
        for version in self.memory.require().policies():
            written = version.as_dict()
            lines = written.pop("policy")
            lines.pop("expected", None)
            found.append({"policy_version": written["version"], **lines, **written})
        return found

    def put(
        self, asked: Mapping[str, Any], *, author: str, note: str = "", after: int | None = None
    ) -> dict[str, Any]:
        """Write a new version of the policy and serve it.

        Parameters
        ----------
        asked
            Figures of ``ThresholdPlan``. Without ``leads_per_week`` the weeks recorded of
            late say how many leads come in, where there are enough of them.
        author
            Who changes it.
        note
            Why.
        after
            The version it was derived from; None does not care.

        Raises
        ------
        InvalidField
            The figures are no plan.
        PolicyOvertaken
            Somebody changed it meanwhile.
        PlanNotApplicable
            The model that is served does not carry the leads to draw lines on.
        NoModel, MemoryOff, StoreUnavailable
            No model is served, the memory is off or does not answer.
        """
        if len(note) > NOTE_LENGTH or "\x00" in note:
            raise InvalidField(
                f"note must be a text of up to {NOTE_LENGTH} characters",
                column="note",
                pointer="/note",
            )
        store = self.memory.require()
        served = self.serving.current()
        plan = self._plan(asked)
        drawn = policy_of(served.cohort, plan)
        first = None
        if served.changed is None:
            first = _written(served.policy, served.plan, served)
        store.put_policy(
            _written(drawn, plan, served), author=author, note=note, after=after, first=first
        )
        self.serving.refresh_policy()
        return self.current()

    def preview(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What another setting would have meant, beside what the setting in force would have.

        The lines are those that :meth:`put` would draw; what they mean is counted on the
        last matured weeks, or on the leads of the training while too few have matured.

        Returns
        -------
        dict
            ``setting`` and ``current``, each with lines, ``plan``, ``reason`` and
            ``expected`` (with ``expected_on``, the source); ``looked_at`` says which
            leads were counted.

        Raises
        ------
        InvalidField
            The figures are no plan.
        PlanNotApplicable
            The model that is served does not carry the leads to draw lines on.
        NoModel
            Nothing is served yet.
        """
        served = self.serving.current()
        plan = self._plan(asked)
        looked = self.past.looked(served)
        worth = _worth_of(plan, served.plan)
        return {
            "model_version": served.versions.model,
            "policy_version": served.versions.policy,
            "looked_at": looked.as_dict(),
            "setting": _meant(policy_of(served.cohort, plan), plan, worth, looked),
            "current": _meant(served.policy, served.plan, worth, looked),
        }

    def curve(self, value: float | None = None, cost: float | None = None) -> dict[str, Any]:
        """Every possible MQL line with what it would have meant; see ``threshold_curve``.

        Parameters
        ----------
        value, cost
            Worth of a conversion and cost of working a lead; the plan's when left out.

        Raises
        ------
        InvalidField
            A figure is out of range.
        PlanNotApplicable, NoModel
            As :meth:`preview`.
        """
        served = self.serving.current()
        looked = self.past.looked(served)
        asked = {"value": value, "cost_mql": cost}
        _plan_of({name: figure for name, figure in asked.items() if figure is not None})
        value = served.plan.value if value is None else value
        cost = (served.plan.cost_mql or 0.0) if cost is None else cost
        return {
            "model_version": served.versions.model,
            "policy_version": served.versions.policy,
            "looked_at": looked.as_dict(),
            "mql": served.policy.mql,
            "sql": served.policy.sql,
            "curve": threshold_curve(looked.cohort, value=value, cost=cost),
        }

    def _plan(self, asked: Mapping[str, Any]) -> ThresholdPlan:
        plan = _plan_of(asked)
        if plan.leads_per_week is None:
            plan = replace(plan, leads_per_week=self.past.intake())
        return plan


def _plan_of(asked: Mapping[str, Any]) -> ThresholdPlan:
    try:
        return ThresholdPlan.from_dict(asked)
    except ConfigError as error:
        raise InvalidField(
            error.detail,
            column=error.column,
            fix=error.fix,
            pointer=None if error.column is None else f"/{error.column}",
        ) from error


def _written(policy: Policy, plan: ThresholdPlan, served: Served) -> dict[str, Any]:
    return {
        **policy.as_dict(),
        "plan": plan.as_dict(),
        "model_version": served.versions.model,
    }


def _worth_of(plan: ThresholdPlan, other: ThresholdPlan) -> ThresholdPlan:
    """Worth and costs by which two settings are compared: those of the first that names them."""
    return plan if plan.value is not None else other


def _meant(
    policy: Policy, plan: ThresholdPlan, worth: ThresholdPlan, looked: Looked
) -> dict[str, Any]:
    expected = expectations_of(looked.cohort, policy, worth)
    found = replace(policy, expected=expected).as_dict()
    del found["version"]
    return {**found, "expected_on": looked.source, "plan": plan.as_dict()}
