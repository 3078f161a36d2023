"""The model that is served now, followed and swapped whole."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from leadml.errors import LeadmlError, NoModel
from leadml.registry.bundle import Bundle
from leadml.registry.champion import Champion
from leadml.registry.signing import PublicKeys
from leadml.registry.trial import Limits
from leadml.scorecard import Scorer
from leadml.service.answers import Versions
from leadml.settings import Settings
from leadml.thresholds.policy import Policy

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
        self._told: str | None = None
        self.swaps = 0
        self._lock = threading.Lock()

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
        if self._problem is not None:
            return self._problem
        return self._pointer.degraded

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
        try:
            moved = self._pointer.poll()
            if self._served is not None and not moved:
                self._problem = None
                return False
            version, bundle = self._pointer.current()
            before = self._served
            if before is not None and (before.version, before.digest) == (
                version,
                bundle.digest,
            ):
                self._problem = None
                return False
            self._served = Served.of(self.name, version, bundle)
            self.swaps += before is not None
        except NoModel as error:
            self._absent = error.detail
            self._problem = None
            return False
        except LeadmlError as error:
            self._problem = f"{error.code}: {error.detail}"
            return False
        self._problem = None
        return True

    def _tell(self) -> None:
        """Log why the newest champion is not served, once for each reason."""
        reason = self.degraded
        if reason is not None and reason != self._told:
            log.warning("the champion could not be followed", extra={"reason": reason})
        self._told = reason

    def close(self) -> None:
        """Stop following; what is served stays."""
        self._pointer.close()
