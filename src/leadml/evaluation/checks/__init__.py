"""Numbered checks of a history and of what was learned from it."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from leadml.errors import ConfigError
from leadml.evaluation.checks import (
    lml001_dominance,
    lml002_emptiness,
    lml003_name,
    lml004_time_proxy,
    lml005_later_than_scoring,
    lml006_impossible_times,
    lml007_same_lead,
    lml008_duplicates,
    lml009_constant,
    lml010_ids,
    lml011_categories,
    lml012_target,
    lml013_silent_period,
    lml014_few_conversions,
    lml015_immaturity,
    lml016_base_rate,
    lml017_schema,
    lml018_personal,
    lml019_unstable,
    lml020_perfection,
    lml021_mixed,
    lml022_infinite,
    lml023_formulas,
    lml024_oversized,
    lml025_wide,
    lml026_copies,
    lml027_date_formats,
    lml028_reading,
    lml029_contacts,
    lml030_consent,
    lml031_placeholders,
)
from leadml.evaluation.checks.finding import Check, Finding
from leadml.evaluation.checks.table import CheckInput

__all__ = ["CHECKS", "Check", "CheckInput", "Finding", "run_checks"]

_MODULES: Final[tuple[ModuleType, ...]] = (
    lml001_dominance,
    lml002_emptiness,
    lml003_name,
    lml004_time_proxy,
    lml005_later_than_scoring,
    lml006_impossible_times,
    lml007_same_lead,
    lml008_duplicates,
    lml009_constant,
    lml010_ids,
    lml011_categories,
    lml012_target,
    lml013_silent_period,
    lml014_few_conversions,
    lml015_immaturity,
    lml016_base_rate,
    lml017_schema,
    lml018_personal,
    lml019_unstable,
    lml020_perfection,
    lml021_mixed,
    lml022_infinite,
    lml023_formulas,
    lml024_oversized,
    lml025_wide,
    lml026_copies,
    lml027_date_formats,
    lml028_reading,
    lml029_contacts,
    lml030_consent,
    lml031_placeholders,
)

CHECKS: Final[dict[str, Check]] = {module.CHECK.code: module.CHECK for module in _MODULES}
"""Every check by its code."""

_RANK: Final = {"found": 0, "silenced": 1, "passed": 2, "not_applicable": 3}
_WEIGHT: Final = {"blocks": 0, "warns": 1, "tip": 2}


def run_checks(data: CheckInput) -> list[Finding]:
    """Run every numbered check.

    Parameters
    ----------
    data
        The history, and what is known about it. ``data.silence`` overrules a check
        wholly (``{"LML003": "filled before first contact"}``) or for one column
        (``{"LML001:duration": "planned duration"}``).

    Returns
    -------
    list of Finding
        One per check: what blocks first, then warnings and tips, silenced, passed, not
        applicable; by code within.

    Raises
    ------
    ConfigError
        If ``silence`` names a check that does not exist, or gives no reason.
    """
    _refuse_unknown(data)
    findings = [_run(module, data) for module in _MODULES]
    return sorted(
        findings,
        key=lambda finding: (
            _RANK[finding.status],
            _WEIGHT[finding.severity] if finding.status == "found" else 0,
            finding.code,
        ),
    )


def _run(module: ModuleType, data: CheckInput) -> Finding:
    code = module.CHECK.code
    found: Finding = module.run(data)
    if found.status != "found":
        return found
    if code in data.silence:
        return found.silenced(data.silence[code])
    spoken = {
        name: data.silence[f"{code}:{name}"]
        for name in found.columns
        if f"{code}:{name}" in data.silence
    }
    if not spoken:
        return found
    rest: Finding = module.run(data.without(spoken))
    if rest.status == "found":
        return rest
    return found.silenced("; ".join(f"{name}: {reason}" for name, reason in spoken.items()))


def _refuse_unknown(data: CheckInput) -> None:
    for key, reason in data.silence.items():
        code = key.partition(":")[0]
        if code not in CHECKS:
            raise ConfigError(
                f"there is no check '{code}' to silence",
                fix=f"codes run from {min(CHECKS)} to {max(CHECKS)}",
            )
        if not reason.strip():
            raise ConfigError(
                f"silencing '{key}' needs a reason in words", fix="say why; the report shows it"
            )
