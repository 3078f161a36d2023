"""Past decisions computed again from their record and their bundle."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from leadml.errors import BundleError, LeadmlError, RegistryError
from leadml.leads.vocabulary import Stage
from leadml.registry.bundle import read_bundle
from leadml.scorecard import Scorer, digits4
from leadml.service.serving import verify_keys
from leadml.settings import Settings
from leadml.thresholds import Policy

__all__ = ["DIFFERENT_SHOWN", "Replayed", "Replayer", "told_of"]

DIFFERENT_SHOWN: Final = 20


@dataclass(frozen=True)
class Replayed:
    """One decision, computed again.

    Parameters
    ----------
    decision_id, model_version
        Of the record.
    differences
        By name of what differs: ``(recorded, replayed)``; empty where every bit is the same.
    problem
        Why it could not be computed again; None where it could.
    """

    decision_id: str
    model_version: str
    differences: Mapping[str, tuple[Any, Any]]
    problem: str | None = None

    @property
    def same(self) -> bool:
        """Whether it was computed again to the same bits."""
        return self.problem is None and not self.differences

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        found: dict[str, Any] = {
            "decision_id": self.decision_id,
            "model_version": self.model_version,
        }
        if self.problem is not None:
            found["problem"] = self.problem
        if self.differences:
            found["differences"] = {
                name: {"recorded": recorded, "replayed": replayed}
                for name, (recorded, replayed) in self.differences.items()
            }
        return found


class Replayer:
    """Computes decisions again; each bundle is verified and read once.

    Parameters
    ----------
    settings
        Where the bundles are, and whose signature counts.
    fetch
        Brings the bundle of a version that is not in the models folder, given model and
        version, and gives its folder; None looks no further.
    """

    def __init__(self, settings: Settings, fetch: Callable[[str, str], Path] | None = None) -> None:
        self.settings = settings
        self._fetch = fetch
        self._scorers: dict[tuple[str, str], Scorer | str] = {}

    def replay(self, record: Mapping[str, Any]) -> Replayed:
        """Compute one decision again.

        Parameters
        ----------
        record
            As ``Store.decision`` gives it.
        """
        decision_id, version = record["decision_id"], record["model_version"]
        scorer = self._scorer(version, record["bundle_digest"])
        if isinstance(scorer, str):
            return Replayed(decision_id, version, {}, scorer)
        try:
            again = _again(scorer, record)
        except LeadmlError as error:
            return Replayed(decision_id, version, {}, f"{error.code}: {error.detail}")
        return Replayed(decision_id, version, _differences(record, again))

    def replay_all(
        self,
        records: Iterable[Mapping[str, Any]],
        progress: Callable[[int], None] = lambda done: None,
    ) -> dict[str, Any]:
        """Compute many decisions again.

        Returns
        -------
        dict
            ``n``, ``n_same``, ``n_different``, ``n_not_replayed``; ``versions`` counted;
            ``different``, the first 20 that were not the same.
        """
        n = same = missing = 0
        versions: dict[str, int] = {}
        shown: list[dict[str, Any]] = []
        for record in records:
            found = self.replay(record)
            n += 1
            same += found.same
            missing += found.problem is not None
            versions[found.model_version] = versions.get(found.model_version, 0) + 1
            if not found.same and len(shown) < DIFFERENT_SHOWN:
                shown.append(found.as_dict())
            progress(n)
        return {
            "n": n,
            "n_same": same,
            "n_different": n - same - missing,
            "n_not_replayed": missing,
            "versions": dict(sorted(versions.items())),
            "different": shown,
        }

    def _scorer(self, model_version: str, digest: str) -> Scorer | str:
        """The scorer of a bundle, or why there is none."""
        key = (model_version, digest)
        if key not in self._scorers:
            try:
                self._scorers[key] = self._read(model_version, digest)
            except LeadmlError as error:
                self._scorers[key] = f"{error.code}: {error.detail}"
        return self._scorers[key]

    def _read(self, model_version: str, digest: str) -> Scorer:
        name, _, version = model_version.rpartition("@")
        keys = verify_keys(self.settings)
        folder = Path(self.settings.models_dir) / name / version
        try:
            return Scorer(read_bundle(folder, digest=digest, keys=keys).scorecard)
        except (BundleError, OSError) as error:
            if self._fetch is None:
                raise BundleError(
                    f"the bundle of {model_version} with the digest of the record is not in the"
                    " models folder"
                ) from error
        try:
            folder = self._fetch(name, version)
        except RegistryError as error:
            raise BundleError(f"the bundle of {model_version} is gone: {error.detail}") from error
        return Scorer(read_bundle(folder, digest=digest, keys=keys).scorecard)


def told_of(found: Mapping[str, Any]) -> str:
    """What came of a replay, in a sentence."""
    n = found["n"]
    if not n:
        return "There are no such decisions."
    if found["n_same"] == n:
        return f"All {n:,} decisions are the same to the last bit."
    parts = [f"{found['n_same']:,} of {n:,} decisions are the same to the last bit"]
    if found["n_different"]:
        parts.append(f"{found['n_different']:,} differ")
    if found["n_not_replayed"]:
        parts.append(f"{found['n_not_replayed']:,} could not be computed again")
    return "; ".join(parts) + "."


def _again(scorer: Scorer, record: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that a decision says, from its inputs and its lines."""
    scored = scorer.one(record["inputs"])
    fit, engagement = scorer.fit_engagement(scored.contributions)
    lines = Policy(
        record["policy_version"],
        mql=record["mql_line"],
        sql=record["sql_line"],
        nurture=record["nurture_line"],
    )
    stage: Stage = lines.stage_of(scored.probability)
    return {
        "log_odds": scored.log_odds,
        "contributions": scored.contributions,
        "probability": digits4(scored.probability),
        "score": scorer.score_of(scored.log_odds),
        "fit_score": fit,
        "engagement_score": engagement,
        "proposed_stage": str(stage),
        "grade": lines.grade_of(scored.probability),
    }


def _differences(record: Mapping[str, Any], again: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {
        name: (record[name], value)
        for name, value in again.items()
        if name in record and _bits(record[name]) != _bits(value)
    }


def _bits(value: Any) -> Any:
    """What makes two values the same: floats by their bits."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, list):
        return [_bits(float(part)) for part in value]
    return value
