"""What a numbered check has to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from leadml.errors import ROWS_SHOWN

__all__ = ["Check", "Finding", "Severity", "Status"]

Severity = Literal["blocks", "warns", "tip"]
Status = Literal["passed", "found", "not_applicable", "silenced"]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Parameters
    ----------
    code, title
        Of the check; stable.
    severity
        ``blocks`` keeps a model from promotion, ``warns`` wants a look, ``tip`` may help.
    status
        ``passed``, ``found``, ``not_applicable``, or ``silenced`` (found, and overruled).
    detail
        One sentence for people: what was found, or what was looked at.
    columns, rows
        Where; rows count from 1, at most 20 are kept.
    evidence
        Plain data: ``figures`` (one mapping per column or case), ``limit`` where a figure is
        held against one, ``shares`` where a chart says more (see ``checks.shares``). Never
        a value of a single lead.
    fix
        What to do.
    page
        The page that explains the check.
    reason
        Why people overruled it, if they did.
    """

    code: str
    title: str
    severity: Severity
    status: Status
    detail: str
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    fix: str = ""
    page: str = ""
    reason: str = ""

    @property
    def blocks(self) -> bool:
        """Whether it keeps a model from promotion."""
        return self.severity == "blocks" and self.status == "found"

    def silenced(self, reason: str) -> Finding:
        """The same, overruled by people."""
        return replace(self, status="silenced", reason=reason)

    def as_dict(self) -> dict[str, Any]:
        """Plain data; empty parts are left out."""
        found: dict[str, Any] = {
            "code": self.code,
            "title": self.title,
            "severity": self.severity,
            "status": self.status,
            "detail": self.detail,
        }
        for name in ("columns", "rows"):
            if getattr(self, name):
                found[name] = list(getattr(self, name))
        if self.evidence:
            found["evidence"] = dict(self.evidence)
        for name in ("fix", "page", "reason"):
            if getattr(self, name):
                found[name] = getattr(self, name)
        return found


@dataclass(frozen=True)
class Check:
    """A numbered check: its name, and how its findings are made.

    Parameters
    ----------
    code
        ``LML`` and three digits.
    title
        A few words, never changing with the case at hand.
    severity
        Of a finding, unless the case says otherwise.
    fix
        What to do about a finding, unless the case says otherwise.
    """

    code: str
    title: str
    severity: Severity
    fix: str

    @property
    def page(self) -> str:
        """Path of the page that explains it."""
        return f"docs/checks/{self.code}.md"

    def found(
        self,
        detail: str,
        *,
        columns: Iterable[str] = (),
        rows: Iterable[int] = (),
        evidence: Mapping[str, Any] | None = None,
        severity: Severity | None = None,
        fix: str | None = None,
    ) -> Finding:
        """Something was found; ``rows`` count from 0 here."""
        shown = [int(row) + 1 for row, _ in zip(rows, range(ROWS_SHOWN), strict=False)]
        return Finding(
            self.code,
            self.title,
            severity or self.severity,
            "found",
            detail,
            tuple(columns),
            tuple(shown),
            dict(evidence or {}),
            self.fix if fix is None else fix,
            self.page,
        )

    def passed(self, detail: str, evidence: Mapping[str, Any] | None = None) -> Finding:
        """Nothing was found; the detail says what was looked at."""
        return Finding(
            self.code,
            self.title,
            self.severity,
            "passed",
            detail,
            evidence=dict(evidence or {}),
            page=self.page,
        )

    def not_applicable(self, detail: str) -> Finding:
        """The check cannot say anything here; the detail says why."""
        return Finding(
            self.code, self.title, self.severity, "not_applicable", detail, page=self.page
        )
