"""The memory as routes and commands use it: opened late, watched, possibly off."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, Final

from leadml.errors import LeadmlError, MemoryOff, StoreError, StoreUnavailable
from leadml.scorecard import Warned
from leadml.service.answers import Exact
from leadml.service.serving import Served
from leadml.settings import Settings
from leadml.store import Decision, PolicyVersion, Recorded, Store

__all__ = ["Memory", "decision_of", "found_by_recording"]

MOST_VALUE: Final = 1e12

log = logging.getLogger(__name__)


class Memory:
    """The store that the settings name, which may be off, down or not there yet.

    Creating it connects to nothing. :meth:`look` opens the database, brings its tables
    to this version and notices when it comes back; a server calls it again and again.

    Parameters
    ----------
    settings
        Name the database.

    Attributes
    ----------
    guarded
        Whether a key or a person protects the API; None while that is not known.
    problem
        Why the memory cannot be used right now; None when all is well.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.guarded: bool | None = None if settings.database_url else False
        self.problem: LeadmlError | None = None
        self._store: Store | None = None
        self._suspect = False
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._opened = False
        if self.settings.database_url:
            # what asks for keys remembers their answers itself
            self._store = Store(
                self.settings.database_url,
                wait_s=self.settings.database_wait_s,
                key_fresh_s=0.0,
            )
            self.problem = StoreUnavailable("the database was not asked yet", fix=_LATER)

    def value_of(self, lead: Mapping[str, Any]) -> float:
        """What winning a lead is worth, by its field or the setting."""
        settings = self.settings
        given = lead.get(settings.value_field) if settings.value_field else None
        if given is None or isinstance(given, bool):
            return settings.lead_value
        try:
            found = float(given)
        except (TypeError, ValueError):
            return settings.lead_value
        return found if 0 <= found <= MOST_VALUE else settings.lead_value

    @property
    def patience_s(self) -> float:
        """Longest wait of a caller for a write, in seconds."""
        return 2.5 * self.settings.database_wait_s

    @property
    def is_on(self) -> bool:
        """Whether anything is to be remembered."""
        return self._store is not None

    def require(self) -> Store:
        """The store, opened.

        Raises
        ------
        MemoryOff
            No database is named.
        StoreUnavailable, StoreError
            It has not answered yet, or holds other tables.
        """
        store = self._store
        if store is None:
            raise MemoryOff(
                "this needs the memory, which is switched off",
                fix="set LEADML_DATABASE_URL, for instance to sqlite:///leadml.db",
            )
        if not self._opened:
            raise self.problem or StoreUnavailable("the database was not asked yet", fix=_LATER)
        return store

    def open(self) -> Store:
        """Bring the tables to this version and see who protects the API.

        Raises
        ------
        MemoryOff, StoreUnavailable, StoreError, ConfigError
            The memory is off, the database does not answer or belongs to a later leadml.
        """
        with self._lock:
            if self._store is not None and not self._opened:
                self._store.migrate()
                # a server that needed keys does not open because its database was emptied
                self.guarded = self._store.is_guarded() or self.guarded is True
                self._opened, self.problem = True, None
        return self.require()

    def policy(self) -> PolicyVersion | None:
        """The newest version of the policy; None while nothing is remembered."""
        return None if self._store is None else self.require().policy()

    def look(self) -> None:
        """See how the database is; notices keys made elsewhere, and its recovery.

        Call it from a worker thread. What is wrong stands in :attr:`problem`.
        """
        if self._store is None:
            return
        before = self.problem
        try:
            store = self.open()
            if self._suspect:
                store.touch()
            guarded = store.is_guarded()
        except LeadmlError as error:
            self.problem, self._suspect = error, True
            if type(error) is StoreError:  # other tables than before: bring them to this version
                self._opened = False
            if before is None or before.code != error.code:
                log.error("the memory cannot be used", extra={"code": error.code})
            return
        if guarded and self.guarded is False:
            log.info("keys are needed from now on")
        self.guarded = guarded or self.guarded is True
        self.problem, self._suspect = None, False
        if before is not None:
            log.info("the memory is used")

    def clean(self) -> None:
        """Overwrite what erasures left behind, if there were any; drop answers a day old.

        Raises
        ------
        StoreUnavailable, StorageFull
            The database does not answer or lacks the room; the next time it is tried again.
        """
        store = self.require()
        store.scrub()
        store.forget_old_requests()

    def suspect(self, error: LeadmlError) -> None:
        """Note that a write failed; the next :meth:`look` tries one. What is off cannot fail."""
        if isinstance(error, StoreError) and self.is_on:
            self.problem, self._suspect = error, True

    def close(self) -> None:
        """Finish what waits and close the database; :meth:`open` opens it again."""
        if self._store is not None:
            self._store.close()
            self._begin()


_LATER: Final = "try again in a second; see whether the database runs"


def decision_of(
    served: Served,
    lead: Mapping[str, Any],
    consent: bool | None,
    answer: Mapping[str, Any],
    exact: Exact,
    value: float = 1.0,
) -> Decision:
    """An answer with all that is needed to replay it.

    Parameters
    ----------
    served
        Under what it was made.
    lead
        Fields as they were sent.
    consent
        What the request said about contact; None for nothing.
    answer
        What the caller gets.
    exact
        The same in full precision.
    value
        What winning the lead is worth.
    """
    policy = served.policy
    return Decision(
        lead_id=answer.get("lead_id"),
        inputs=lead,
        probability=answer["probability"],
        log_odds=exact.log_odds,
        contributions=exact.contributions,
        score=answer["score"],
        grade=answer["grade"],
        proposed_stage=answer["proposed_stage"],
        nurture_line=policy.nurture,
        mql_line=policy.mql,
        sql_line=policy.sql,
        model_version=served.versions.model,
        policy_version=served.versions.policy,
        bundle_digest=served.digest,
        fit_score=answer["fit_score"],
        engagement_score=answer["engagement_score"],
        contact_consent=consent,
        reasons=exact.reasons,
        value=value,
    )


def found_by_recording(recorded: Recorded) -> list[Warned]:
    """What the caller should know of a lead that only the memory knows."""
    found = [] if recorded.kept else [_ERASED]
    return found if recorded.may_contact else [*found, _NO_CONTACT]


_ERASED: Final = Warned("lead_erased", "lead_id", "the lead was erased; this score is not recorded")
_NO_CONTACT: Final = Warned(
    "no_contact", "contact_consent", "the lead may not be contacted; it is not proposed"
)
