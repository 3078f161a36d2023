"""The champion, found and followed without importing MLflow.

MLflow's alias rules; the pointer file ``models/<name>/champion.json`` is what was last
verified, and rules while MLflow does not answer. Only a bundle that was verified, golden
rows included, takes the place of the one before.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from leadml.errors import BundleError, BundleRejected, FileUnwritable, NoModel, RegistryError
from leadml.registry import trial
from leadml.registry.aliases import AliasSource, Named, alias_source
from leadml.registry.bundle import Bundle, read_bundle, verify_bundle
from leadml.registry.child import Child
from leadml.registry.clock import spelled
from leadml.registry.layout import canonical
from leadml.registry.place import absolute_uri, check_name
from leadml.registry.publishing import staged_file
from leadml.registry.signing import PublicKeys

__all__ = [
    "CHAMPION",
    "POINTER",
    "Champion",
    "Pointed",
    "read_pointer",
    "staged_pointer",
    "write_pointer",
]

CHAMPION: Final = "champion"
POINTER: Final = "champion.json"
POINTER_BYTES: Final = 10_000
FETCH_LIMIT_S: Final = 120.0
RETRY_AFTER_S: Final = 30.0
FIRST_WAIT_S: Final = 3.5


@dataclass(frozen=True)
class Pointed:
    """What the pointer file says."""

    version: str
    digest: str
    moved_at: str

    @property
    def named(self) -> Named:
        """Version and digest."""
        return Named(self.version, self.digest)


def read_pointer(models_dir: Path | str, name: str) -> Pointed | None:
    """The pointer of a model; None where there is none.

    Raises
    ------
    RegistryError
        The file is no pointer.
    """
    path = Path(models_dir) / check_name(name) / POINTER
    try:
        with path.open("rb") as file:
            data = orjson.loads(file.read(POINTER_BYTES))
        named = Named.checked(data["version"], data["digest"])
        return Pointed(named.version, named.digest, str(data["moved_at"]))
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError, RegistryError) as error:
        raise RegistryError(
            f"{name}/{POINTER} is no pointer to a version",
            fix="name the champion again: leadml models promote VERSION",
        ) from error


def write_pointer(models_dir: Path | str, name: str, named: Named) -> None:
    """Point at a version whose bundle was verified; atomic and durable.

    Raises
    ------
    FileUnwritable
        There is no room, or no right to write there.
    """
    with staged_pointer(models_dir, name, named) as put:
        put()


def staged_pointer(
    models_dir: Path | str, name: str, named: Named
) -> AbstractContextManager[Callable[[], None]]:
    """Write a pointer beside its place; calling what is given puts it there.

    Raises
    ------
    FileUnwritable
        There is no room, or no right to write there.
    """
    pointed = Pointed(named.version, named.digest, spelled(datetime.now(UTC)))
    return staged_file(Path(models_dir) / check_name(name) / POINTER, canonical(asdict(pointed)))


class Champion:
    """Follows the champion of one model.

    One thread at a time may call :meth:`poll`; :meth:`current` reads one reference.

    Parameters
    ----------
    models_dir
        Folder of verified bundles, one folder per model.
    name
        Name of the registered model.
    tracking_uri
        MLflow's URI; None follows the pointer file alone.
    keys
        One of them must have signed a bundle; None takes unsigned ones.
    trial_limits
        Try a bundle in a child process within these limits before it is read here, unless
        it has passed before; None reads it at once. A server sets them: it then keeps
        answering whatever a bundle does to its reader.
    read
        Reads and proves a bundle, given its folder and the digest it must have.
    fetch_limit_s, retry_after_s
        Longest wait for a version fetched from MLflow, and pause after a failure.

    Attributes
    ----------
    last_error
        Why the newest champion is not served; None when it is.
    rejected
        How many bundles were refused so far, by the code of the reason.
    """

    def __init__(
        self,
        models_dir: Path | str,
        name: str,
        tracking_uri: str | None = None,
        *,
        keys: PublicKeys | None = None,
        trial_limits: trial.Limits | None = None,
        read: Callable[[Path, str], Bundle] | None = None,
        fetch_limit_s: float = FETCH_LIMIT_S,
        retry_after_s: float = RETRY_AFTER_S,
    ) -> None:
        self.models_dir = Path(models_dir)
        self.name = check_name(name)
        self.tracking_uri = None if tracking_uri is None else absolute_uri(tracking_uri)
        self.last_error: str | None = None
        self.rejected: Counter[str] = Counter()
        self._source: AliasSource | None = (
            None if self.tracking_uri is None else alias_source(self.tracking_uri)
        )
        self._keys = keys
        self._trial_limits = trial_limits
        self._read = read or (
            lambda folder, digest: read_bundle(folder, digest=digest, keys=self._keys)
        )
        self._fetch_limit_s = fetch_limit_s
        self._retry_after_s = retry_after_s
        self._held: tuple[Named, Bundle] | None = None
        self._silent: str | None = None
        self._refused: dict[Named, tuple[int, int]] = {}
        self._fetching: tuple[Named, Child] | None = None
        self._trials: dict[Named, Child] = {}
        self._not_before: dict[Named, float] = {}

    @property
    def degraded(self) -> str | None:
        """Why what is served may not be the newest; None when all is well."""
        return self.last_error or self._silent

    @property
    def digest(self) -> str | None:
        """Digest of the bundle held; None while there is none."""
        return None if self._held is None else self._held[1].digest

    def current(self) -> tuple[str, Bundle]:
        """Version and verified bundle of the champion.

        Looks for it first if nothing has been found so far.

        Raises
        ------
        NoModel
            There is none, or none that could be verified.
        """
        if self._held is None:
            self.poll()
        if self._held is None:
            because = f": {self.degraded}" if self.degraded else ""
            raise NoModel(
                f"no version of '{self.name}' can be served{because}",
                fix="train one: leadml train FILE --target COLUMN",
            )
        named, bundle = self._held
        return named.version, bundle

    def poll(self) -> bool:
        """Look again; True when another bundle is held afterwards.

        Whatever fails, what is held stays, and :attr:`degraded` says why.
        """
        try:
            pointed = read_pointer(self.models_dir, self.name)
            fault = None
        except RegistryError as error:
            pointed, fault = None, error.detail
        wanted = self._ask(pointed) or (pointed.named if pointed else None)
        if wanted is None:
            self.last_error = fault
            return False
        if self._held is not None and self._held[0] == wanted:
            self.last_error = None
            self._settle_fetch(None)
            self._stop_trials()
            self._point(wanted, pointed)
            return False
        self._stop_trials(keep=(wanted, pointed.named if pointed else wanted))
        if self._take(wanted):
            self.last_error = None
            self._stop_trials()
            self._point(wanted, pointed)
            return True
        # nothing better yet: at least what was verified last
        if self._held is None and pointed is not None and pointed.named != wanted:
            said = self.last_error
            taken = self._take(pointed.named, fetch=False)
            self.last_error = said
            return taken
        return False

    def close(self) -> None:
        """Stop fetching and trying."""
        self._stop_fetch()
        self._stop_trials()

    # --- asking -------------------------------------------------------------------

    def _ask(self, pointed: Pointed | None) -> Named | None:
        if self._source is None:
            return None
        try:
            found = self._source.ask(self.name, CHAMPION)
        except RegistryError as error:
            served = self._held is not None or pointed is not None
            self._silent = (
                f"{error.detail}; the champion is taken from the local copy"
                if served
                else error.detail
            )
            return None
        self._silent = None
        return found

    def _point(self, wanted: Named, pointed: Pointed | None) -> None:
        if pointed is not None and pointed.named == wanted:
            return
        try:
            write_pointer(self.models_dir, self.name, wanted)
        except FileUnwritable as error:  # a read-only copy can still be served
            self._silent = self._silent or f"the pointer is not moved: {error.detail}"

    # --- taking -------------------------------------------------------------------

    def _take(self, wanted: Named, *, fetch: bool = True) -> bool:
        """Hold a version if its local bundle is sound; otherwise have it fetched."""
        folder = self.models_dir / self.name / wanted.version
        if fetch and self._fetch_runs(wanted):
            return False
        seen = _state(folder)
        if seen is not None and self._refused.get(wanted) != seen:
            try:
                if not self._passed(wanted, folder):
                    return False
                self._held = (wanted, self._read(folder, wanted.digest))
            except BundleError as error:
                self._refused[wanted] = seen
                self.rejected[error.code] += 1
                self.last_error = f"version {wanted.version} is not served: {error.detail}"
            except RegistryError as error:  # no child could be started: another look will
                self.last_error = f"version {wanted.version} is not served: {error.detail}"
                return False
            else:
                self._refused.clear()
                self._not_before.clear()
                return True
        if fetch:
            self._start_fetch(wanted)
        return False

    def _fetch_runs(self, wanted: Named) -> bool:
        self._settle_fetch(wanted)
        return self._fetching is not None

    def _settle_fetch(self, wanted: Named | None) -> None:
        """End a fetch that is done, hangs, or is no longer wanted."""
        if self._fetching is None:
            return
        fetched, child = self._fetching
        if fetched != wanted:
            self._stop_fetch()
            return
        said = child.said()
        if said is None:
            return
        self._fetching = None
        if said:
            self.rejected["not_fetched"] += 1
            self.last_error = (
                f"version {fetched.version} is not served: it cannot be fetched: {said}"
            )

    def _stop_fetch(self) -> None:
        if self._fetching is not None:
            self._fetching[1].stop()
            self._fetching = None

    def _start_fetch(self, wanted: Named) -> None:
        if self.tracking_uri is None:
            self.last_error = self.last_error or f"version {wanted.version} has no local copy"
            return
        now = time.monotonic()
        if now < self._not_before.get(wanted, 0.0):
            return
        self._not_before[wanted] = now + self._retry_after_s
        command = [
            *(sys.executable, "-m", "leadml.registry.errands", "fetch"),
            *("--models-dir", str(self.models_dir.absolute())),
            *("--name", self.name, wanted.version),
        ]
        if self._keys is not None:
            command += ["--verify-key", str(self._keys.path)]
        # the address may hold a password, and arguments can be seen by other users
        environment = {**os.environ, "MLFLOW_TRACKING_URI": self.tracking_uri}
        try:
            child = Child(command, environment, limit_s=self._fetch_limit_s, what="fetching it")
        except RegistryError as error:
            self.last_error = f"version {wanted.version} is not served: {error.detail}"
            return
        self._fetching = (wanted, child)

    # --- trying --------------------------------------------------------------------

    def _passed(self, wanted: Named, folder: Path) -> bool:
        """Whether a bundle has passed its trial; False while that runs.

        Waits for it only where nothing else could be served meanwhile.

        Raises
        ------
        BundleError
            It failed, crashed, or took too long or too much.
        """
        home = self.models_dir / self.name
        if self._trial_limits is None or trial.is_proven(home, wanted.digest):
            return True
        child = self._trials.get(wanted)
        if child is None:
            verify_bundle(folder, digest=wanted.digest, keys=self._keys)  # spares most trials
            child = trial.start(folder, wanted.digest, self._keys, self._trial_limits)
            self._trials[wanted] = child
        said = child.said(FIRST_WAIT_S if self._held is None else 0.0)
        if said is None:
            return False
        del self._trials[wanted]
        if said:
            raise BundleRejected(f"tried in a process of its own: {said}")
        trial.remember(home, wanted.digest)
        return True

    def _stop_trials(self, keep: Collection[Named] = ()) -> None:
        for named in [each for each in self._trials if each not in keep]:
            self._trials.pop(named).stop()


def _state(folder: Path) -> tuple[int, int] | None:
    """What changes when a bundle is replaced; None where there is none."""
    try:
        found = folder.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
