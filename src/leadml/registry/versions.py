"""Registered versions: made in one step, listed, named by number or alias."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

import leadml
from leadml.errors import RegistryError, VersionUnknown
from leadml.registry.aliases import DIGEST_TAG, Named, is_version
from leadml.registry.bundle import Bundle
from leadml.registry.clock import spelled
from leadml.registry.figures import figures_of
from leadml.registry.layout import canonical
from leadml.registry.place import artifacts_uri

__all__ = [
    "PROMOTED_TAG",
    "REASON_TAG",
    "TAG_LENGTH",
    "VERDICT_TAG",
    "VersionInfo",
    "aliases_in",
    "create_version",
    "list_versions",
    "named",
]

VERDICT_TAG: Final = "leadml.verdict"
PROMOTED_TAG: Final = "leadml.promoted_at"
REASON_TAG: Final = "leadml.promoted_reason"
TAG_LENGTH: Final = 4900
"""Most characters of a tag's value; MLflow's databases take 5,000."""

_METRICS_TAG: Final = "leadml.metrics"
_HEADLINES: Final = ("roc_auc", "pr_auc", "log_loss", "brier", "ece")
_PAGE: Final = 1000


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


def create_version(
    client: Any,
    name: str,
    made: Bundle,
    run_id: str,
    model_id: str,
    facts: Mapping[str, Any],
) -> str:
    """Make a version with its tags in one step; gives its number."""
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
    local = artifacts_uri(client.tracking_uri) is not None
    model = client.get_logged_model(model_id) if local else None
    version = client.create_model_version(
        name,
        source=f"models:/{model_id}" if model is None else model.artifact_location,
        run_id=run_id,
        model_id=model_id,
        description=str(verdict.get("sentence", "")),
        tags={
            DIGEST_TAG: made.digest,
            VERDICT_TAG: str(verdict.get("word", "")),
            _METRICS_TAG: canonical(headlines).decode().strip()[:TAG_LENGTH],
            "leadml.data_digest": str(made.manifest["data_digest"]),
            "leadml.version": leadml.__version__,
        },
    )
    return str(version.version)


def list_versions(client: Any, name: str) -> list[VersionInfo]:
    """All versions of a model, newest first; none where the model is unknown."""
    from mlflow.exceptions import MlflowException

    try:
        aliases = aliases_in(client.get_registered_model(name))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return []
        raise
    by_version: dict[str, list[str]] = {}
    for alias, version in sorted(aliases.items()):
        by_version.setdefault(version, []).append(alias)
    found = [
        _info(each, tuple(by_version.get(str(each.version), ()))) for each in _all(client, name)
    ]
    return sorted(found, key=lambda info: int(info.version), reverse=True)


def _all(client: Any, name: str) -> Iterator[Any]:
    """Every version as MLflow tells it, page by page."""
    token: str | None = ""
    while token is not None:
        page = client.search_model_versions(
            f"name = '{name}'", max_results=_PAGE, page_token=token or None
        )
        yield from page
        token = page.token or None


def aliases_in(model: Any) -> dict[str, str]:
    """Numbers of versions by alias, of a registered model as MLflow tells it."""
    return {str(alias): str(version) for alias, version in model.aliases.items()}


def named(client: Any, name: str, version: str) -> Named:
    """A version by number or alias, with the digest its bundle must have.

    Raises
    ------
    VersionUnknown
        The model has no such version or alias.
    RegistryError
        The version was not registered by leadml.
    """
    number: str | None = version
    if not is_version(version):
        number = aliases_in(client.get_registered_model(name)).get(version)
    if number is None:
        raise VersionUnknown(
            f"'{name}' has no version or alias {version[:80]!r}", fix="see: leadml models list"
        )
    found = client.get_model_version(name, number)
    return Named.checked(str(found.version), found.tags.get(DIGEST_TAG))


def _info(version: Any, aliases: tuple[str, ...]) -> VersionInfo:
    tags = version.tags
    try:
        created = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
        if not is_version(str(version.version)):
            raise ValueError("a version that is no number")
    except (OSError, OverflowError, TypeError, ValueError) as error:
        raise RegistryError(
            "what lists the versions does not answer as MLflow does",
            fix="correct MLFLOW_TRACKING_URI",
        ) from error
    return VersionInfo(
        version=str(version.version),
        aliases=aliases,
        created_at=spelled(created),
        metrics=_headlines(tags.get(_METRICS_TAG, "")),
        verdict=tags.get(VERDICT_TAG, ""),
        run_id=version.run_id or "",
        digest=tags.get(DIGEST_TAG, ""),
        promoted_at=tags.get(PROMOTED_TAG, ""),
        reason=tags.get(REASON_TAG, ""),
    )


def _headlines(spelled: str) -> dict[str, float]:
    try:
        data = orjson.loads(spelled)
    except orjson.JSONDecodeError:
        return {}  # a version that leadml did not register
    return dict(figures_of(data)) if isinstance(data, dict) else {}
