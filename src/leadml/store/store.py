"""The memory of leadml behind one door."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeVar

import sqlalchemy as sa

from leadml.errors import LeadErased, LeadmlError, NotFound, StoreError, StoreUnavailable
from leadml.leads.vocabulary import Outcome, Stage
from leadml.store import (
    auditing,
    erasing,
    hindsight,
    keyring,
    lessons,
    once,
    policies,
    telling,
    users,
)
from leadml.store.database import Database
from leadml.store.glances import Glances
from leadml.store.hindsight import Followed
from leadml.store.keyring import Key, KeyCache
from leadml.store.lane import Lane, Writing
from leadml.store.lessons import TrainingTable
from leadml.store.lives import Happened, Happening, Lives
from leadml.store.migrate import latest_revision, migrate, revision_of
from leadml.store.once import Claim, Once
from leadml.store.outgoing import Outgoing
from leadml.store.people import People
from leadml.store.policies import PolicyVersion
from leadml.store.records import (
    Decision,
    Recorded,
    Report,
    Reporting,
    checked_id,
    now,
    us_of,
)
from leadml.store.remembering import record_consent, record_decisions, record_reports

__all__ = ["Erasure", "Store"]

T = TypeVar("T")
Answer = Callable[[list[Any]], tuple[int, str | None]]
"""Status and answer to be kept, made of the results; None where it must not be kept."""

_SCRUB_DUE: Final = "scrub_due"
_TOUCHED: Final = "touched"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure did.

    Parameters
    ----------
    rows
        Rows deleted, by table.
    scrubbed
        Whether the freed bytes are overwritten already; if not, :meth:`Store.scrub`
        has to be called again.
    """

    rows: dict[str, int]
    scrubbed: bool


class Store:
    """Leads, decisions, outcomes, stages, policies and keys in one database.

    Writes of all threads go through one lane and share commits; each call returns once
    its write is durable. Reads see what was written before.

    Parameters
    ----------
    url
        ``sqlite:///leadml.db`` or ``postgresql+psycopg://user:password@host/name``.
        Creating the object connects to nothing.
    wait_s
        Longest wait for a lock; a caller waits at most 2.5 times as long.
    key_fresh_s
        How long a key that was found active is used without asking again, at most 5.

    Raises
    ------
    ConfigError
        The URL cannot be used.
    StoreUnavailable, StorageFull
        Raised by every method when the database is down, stalled, locked, read-only or
        full. Nothing was acknowledged; the next call tries anew.
    StoreError
        The tables are not there or of another version; see :meth:`migrate`.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = Store(f"sqlite:///{folder.name}/leadml.db")
    >>> store.migrate()
    '0007'
    >>> text, key = store.create_key("hubspot", ["score"])
    >>> store.verify_key(text).name, store.verify_key("leadml_wrong")
    ('hubspot', None)
    >>> store.close()
    >>> folder.cleanup()
    """

    def __init__(self, url: str, *, wait_s: float = 2.0, key_fresh_s: float = 2.0) -> None:
        self._database = Database(url, wait_s=wait_s)
        self._patience_s = 2.5 * wait_s
        self._writes = Lane(self._database.writing, patience_s=self._patience_s)
        self._reads = Lane(self._database.reading, patience_s=self._patience_s)
        self._keys = KeyCache(self._look_up_key, fresh_s=min(key_fresh_s, 5.0))
        self._tombstone_key: bytes | None = None
        self.outgoing = Outgoing(self._write, self._read, self._audit)
        """Endpoints and deliveries of webhooks."""
        self.lives = Lives(self._write, self._read, self._erased)
        """Leads one by one, page by page and as a queue; their events."""
        self.glances = Glances(self._read)
        """What pages show at a glance."""
        self.people = People(self._write, self._read, self._write_later, self._audit)
        """Users and sessions."""

    @property
    def kind(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._database.kind

    @property
    def n_commits(self) -> int:
        """Transactions written so far by this object."""
        return self._writes.n_commits

    def on_messages(self, wake: Callable[[], object]) -> None:
        """Have something called after each commit of this object that wrote messages."""
        self._database.announced = wake

    def close(self) -> None:
        """Finish the writes that wait, then close all connections."""
        self._writes.close()
        self._reads.close()
        self._database.close()

    # --- the tables -----------------------------------------------------------------

    def migrate(self, revision: str = "head") -> str:
        """Bring the tables to this version; see :func:`leadml.store.migrate.migrate`."""
        with self._database.writing() as connection:
            reached = migrate(connection, revision)
            if reached:
                erasing.tombstone_key(connection)
            return reached

    def check(self) -> None:
        """Whether the store can be used, for ``/health/ready``.

        Raises
        ------
        StoreUnavailable
            The database does not answer.
        StoreError
            Its tables are not those of this version.
        """
        present = self._read(revision_of)
        if present != latest_revision():
            raise StoreError(
                f"the tables are at revision '{present or 'none'}', "
                f"this version of leadml works with '{latest_revision()}'",
                fix="migrate the database first",
            )

    def touch(self) -> None:
        """Write something small, to see whether writing works.

        Raises
        ------
        StoreUnavailable, StorageFull
            It does not.
        """
        self._write(lambda on: auditing.set_note(on, _TOUCHED, str(us_of(now()))))

    # --- decisions and reports ---------------------------------------------------------

    def submit_decisions(self, decisions: Sequence[Decision]) -> Writing:
        """Queue decisions; the future is done once they are durable."""
        return self._writes.submit(self._record_decisions, decisions)

    def record_decisions(
        self,
        decisions: Sequence[Decision],
        *,
        claimed: Claim | None = None,
        answer: Answer | None = None,
    ) -> list[Recorded]:
        """Store decisions, their leads, changes of stage and messages in one transaction.

        Parameters
        ----------
        claimed, answer
            For a request that counts once: its claim, and what makes status and answer
            of the results; both are kept in the same transaction.
        """
        return self._do(self._record_decisions, decisions, claimed, answer)

    def record_reports(
        self,
        reports: Sequence[Report],
        *,
        claimed: Claim | None = None,
        answer: Answer | None = None,
    ) -> list[Reporting]:
        """Store what people report; a refused report carries its error and spoils no other."""
        return self._do(self._record_reports, reports, claimed, answer)

    def record_history(
        self, decisions: Sequence[Decision], reports: Sequence[Report]
    ) -> tuple[list[Recorded | None], list[Reporting]]:
        """Store a past that was brought in later, in one transaction; repeats change nothing.

        Returns
        -------
        decisions : list of Recorded or None
            None for a lead that was decided on at that very moment already.
        reports : list of Reporting
            As :meth:`record_reports`.
        """

        def effect(connection: sa.Connection) -> tuple[list[Recorded | None], list[Reporting]]:
            marks = [(d.lead_id, us_of(d.at)) for d in decisions]
            taken = hindsight.known_decisions(
                connection, [(lead_id, at_us) for lead_id, at_us in marks if lead_id is not None]
            )
            found: list[Recorded | None] = [None] * len(marks)
            fresh: list[int] = []
            for place, mark in enumerate(marks):
                if mark[0] is None or mark not in taken:
                    fresh.append(place)
                    taken.add(mark)  # type: ignore[arg-type]
            made = self._record_decisions(connection, [decisions[place] for place in fresh])
            for place, recorded in zip(fresh, made, strict=True):
                found[place] = recorded
            return found, self._record_reports(connection, list(reports))

        return self._write(effect)

    def set_consent(
        self,
        lead_id: str,
        *,
        by: str,
        contact_consent: bool | None = None,
        objection: bool | None = None,
        at: datetime | None = None,
    ) -> Stage:
        """Note consent to contact, or an objection to being scored for contact.

        Parameters
        ----------
        by
            Who says so.
        contact_consent, objection
            None leaves what is known.

        Returns
        -------
        Stage
            Where the lead stands then: never ``mql`` without consent.

        Raises
        ------
        LeadErased
            The lead was erased.
        """
        checked_id(lead_id)
        at_us = us_of(at or now())

        def effect(connection: sa.Connection) -> Stage:
            if self._erased(connection, [lead_id]):
                raise LeadErased("the lead was erased; nothing is recorded for it")
            stage = record_consent(
                connection,
                lead_id,
                at_us=at_us,
                contact_consent=contact_consent,
                objection=objection,
                by=by,
            )
            given = {"contact_consent": contact_consent, "objection": objection}
            detail = {name: value for name, value in given.items() if value is not None}
            subject = erasing.hash_of(self._tombstones(connection), lead_id)
            self._audit(connection, by, "lead.consent", subject, detail)
            return stage

        return self._write(effect)

    def record_happenings(
        self,
        happenings: Sequence[Happening],
        *,
        claimed: Claim | None = None,
        answer: Answer | None = None,
    ) -> list[Happened]:
        """Store what leads did; see :meth:`leadml.store.lives.Lives.happen`."""
        return self._do(self.lives.record_happenings, happenings, claimed, answer)

    # --- what is known ---------------------------------------------------------------

    def lead(self, lead_id: str) -> dict[str, Any] | None:
        """A lead as it stands; None if unknown."""
        return self._read(lambda connection: telling.lead(connection, lead_id))

    def history(self, lead_id: str) -> list[dict[str, Any]]:
        """What happened to a lead in the order of time, with its stage after each event."""
        return self._read(lambda connection: telling.history(connection, lead_id))

    def export(self, lead_id: str, *, by: str) -> dict[str, Any]:
        """All that is stored about a lead, for a request of access.

        Raises
        ------
        NotFound
            Nothing is stored.
        """

        def effect(connection: sa.Connection) -> dict[str, Any]:
            found = telling.export(connection, lead_id)
            if found is None:
                raise NotFound("nothing is stored about this lead")
            subject = erasing.hash_of(self._tombstones(connection), lead_id)
            self._audit(connection, by, "lead.export", subject, {})
            return found

        return self._write(effect)

    def decision(self, decision_id: str) -> dict[str, Any] | None:
        """A past decision with all that is needed to replay it; None if unknown."""
        return self._read(lambda connection: telling.decision(connection, decision_id))

    def queue(
        self, limit: int = 100, after: tuple[float, str] | None = None
    ) -> list[dict[str, Any]]:
        """Leads to work next, likeliest first; ``after`` is the last of the page before."""
        return self._read(lambda connection: telling.queue(connection, limit, after))

    def messages(self, limit: int = 100) -> list[dict[str, Any]]:
        """Messages of the outbox that are not settled, oldest first.

        A sequence number is no bookmark: on PostgreSQL a smaller one may become visible
        later. Settle what was handed on instead.
        """
        return self._read(lambda connection: telling.messages(connection, limit))

    def settle_messages(self, seqs: Iterable[int]) -> int:
        """Mark messages as handed on; returns how many were open until now."""
        chosen, at_us = list(seqs), us_of(now())
        return self._write(lambda connection: telling.settle(connection, chosen, at_us))

    def counts(self) -> dict[str, int]:
        """Rows in each table."""
        return self._read(telling.counts)

    def training_table(
        self,
        horizon_days: int,
        *,
        as_of: datetime | None = None,
        outcome: Outcome = Outcome.WON,
        among: Sequence[Outcome] = (),
        which: Literal["first", "all"] = "first",
    ) -> TrainingTable:
        """The next training table; see :func:`leadml.store.lessons.training_table`."""
        return self._browse(
            lambda connection: lessons.training_table(
                connection,
                self._tombstones(connection),
                horizon_days=horizon_days,
                as_of=as_of or now(),
                outcome=outcome,
                among=among,
                which=which,
            )
        )

    # --- erasure --------------------------------------------------------------------

    def erase(
        self, lead_id: str, *, by: str, scrub: bool = True, only_known: bool = False
    ) -> Erasure:
        """Delete all that is stored about a lead, whether it is known or not.

        A tombstone (a keyed hash) keeps the lead out of training and refuses new
        decisions for it.

        Parameters
        ----------
        by
            Who asked for it.
        scrub
            Overwrite the freed bytes at once. False leaves it to a later
            :meth:`scrub`, so that many erasures share one.
        only_known
            Refuse a lead of which nothing is stored and that was not erased before, so
            that a mistyped id bars no later lead.

        Raises
        ------
        NotFound
            See ``only_known``.
        """
        checked_id(lead_id)

        def effect(connection: sa.Connection) -> dict[str, int]:
            key = self._tombstones(connection)
            rows = erasing.erase(connection, key, lead_id, us_of(now()), only_known=only_known)
            subject = erasing.hash_of(key, lead_id)
            self._audit(connection, by, "lead.erase", subject, rows)
            auditing.set_note(connection, _SCRUB_DUE, "yes")
            return rows

        rows = self._write(effect)
        return Erasure(rows, self.scrub() if scrub else False)

    def scrub(self) -> bool:
        """Overwrite what erasures freed, if one is due; True when nothing is left to do.

        On SQLite the file is rewritten and its log cut off; on PostgreSQL the tables are
        rewritten (``VACUUM FULL``). Writers wait meanwhile.
        """
        if self._read(lambda on: auditing.get_note(on, _SCRUB_DUE)) != "yes":
            return True
        try:
            self._scrub()
        except StoreUnavailable:
            return False
        self._write(lambda on: auditing.set_note(on, _SCRUB_DUE, "no"))
        return True

    def _scrub(self) -> None:
        names = (*erasing.TABLES, "idempotency")
        if self.kind == "postgresql":
            self._database.maintain(*(f"VACUUM FULL {name}" for name in names))
            return
        end = time.monotonic() + self._patience_s
        self._database.maintain("VACUUM")
        while not self._database.truncate_log():
            if time.monotonic() > end:
                raise StoreUnavailable("readers keep the log of the database in use")
            time.sleep(0.01)

    # --- policies ---------------------------------------------------------------------

    def put_policy(
        self,
        policy: Mapping[str, Any],
        *,
        author: str,
        note: str,
        after: int | None = None,
        first: Mapping[str, Any] | None = None,
    ) -> PolicyVersion:
        """Write the next version of the policy; see :func:`leadml.store.policies.add`."""

        def effect(connection: sa.Connection) -> PolicyVersion:
            at_us = us_of(now())
            made = policies.add(
                connection, policy, author=author, note=note, at_us=at_us, after=after, first=first
            )
            self._audit(connection, author, "policy.change", str(made.version), {"note": note})
            return made

        return self._write(effect)

    def policy(self) -> PolicyVersion | None:
        """The newest version of the policy; None before the first."""
        return self._read(policies.latest)

    def policies(self) -> list[PolicyVersion]:
        """All versions of the policy, newest first."""
        return self._read(policies.versions)

    # --- hindsight --------------------------------------------------------------------

    def followed(
        self, *, since: datetime, until: datetime, as_of: datetime, outcome: Outcome = Outcome.WON
    ) -> Followed:
        """What followed first decisions; see :func:`leadml.store.hindsight.followed`."""
        return self._browse(
            lambda on: hindsight.followed(
                on, since=since, until=until, as_of=as_of, outcome=outcome
            )
        )

    def first_decision(self) -> datetime | None:
        """When the memory began; None before."""
        return self._read(hindsight.first_decision)

    def arrivals(self, *, since: datetime, until: datetime) -> list[datetime]:
        """When leads were first decided on; see :func:`leadml.store.hindsight.arrivals`."""
        return self._browse(lambda on: hindsight.arrivals(on, since=since, until=until))

    def proposals(self, *, since: datetime, until: datetime) -> list[datetime]:
        """When leads became ``mql``; see :func:`leadml.store.hindsight.proposals`."""
        return self._browse(lambda on: hindsight.proposals(on, since=since, until=until))

    def newest_inputs(self, limit: int, since: datetime) -> list[dict[str, Any]]:
        """Inputs of the newest decisions, newest first."""
        return self._browse(lambda on: hindsight.newest_inputs(on, limit, since))

    def decisions(
        self,
        *,
        ids: Sequence[str] | None = None,
        sample: int | None = None,
        since: datetime | None = None,
        after: tuple[int, str] | None = None,
    ) -> list[dict[str, Any]]:
        """Past decisions to replay; see :func:`leadml.store.hindsight.decisions`."""
        return self._browse(
            lambda on: hindsight.decisions(on, ids=ids, sample=sample, since=since, after=after)
        )

    def tell_exceeded(self, week: str, data: Mapping[str, Any]) -> bool:
        """Write the message ``capacity.exceeded`` once for a week; False if it was told."""
        return self._write(lambda on: hindsight.exceeded(on, week, dict(data), at_us=us_of(now())))

    # --- keys -----------------------------------------------------------------------

    def create_key(
        self,
        name: str,
        scopes: Iterable[str],
        *,
        expires_at: datetime | None = None,
        by: str = "cli",
    ) -> tuple[str, Key]:
        """Make a key; its text is returned this once and kept nowhere."""
        chosen = tuple(scopes)

        def effect(connection: sa.Connection) -> tuple[str, Key]:
            made = keyring.create(connection, name=name, scopes=chosen, expires_at=expires_at)
            detail = {"name": name, "scopes": sorted(made[1].scopes)}
            self._audit(connection, by, "key.create", made[1].prefix, detail)
            return made

        return self._write(effect)

    def rotate_key(
        self, prefix: str, *, overlap_s: float = 86_400.0, by: str = "cli"
    ) -> tuple[str, Key]:
        """Make the successor of a key, which itself ends after ``overlap_s`` seconds."""

        def effect(connection: sa.Connection) -> tuple[str, Key]:
            made = keyring.rotate(connection, prefix, overlap_s)
            self._audit(connection, by, "key.rotate", prefix, {"successor": made[1].prefix})
            return made

        made = self._write(effect)
        self._keys.forget()
        return made

    def revoke_key(self, prefix: str, *, by: str = "cli") -> Key:
        """Close a key for good: at once here, in other processes within seconds."""

        def effect(connection: sa.Connection) -> Key:
            key = keyring.revoke(connection, prefix)
            self._audit(connection, by, "key.revoke", prefix, {})
            return key

        key = self._write(effect)
        self._keys.forget()
        return key

    def list_keys(self) -> list[Key]:
        """All keys, oldest first; none shows its secret."""
        return self._read(keyring.listed)

    def is_guarded(self) -> bool:
        """Whether a key or a person was ever there, so that callers say who they are."""
        return self._read(lambda on: keyring.is_guarded(on) or users.any_ever(on))

    def verify_key(self, text: str) -> Key | None:
        """The active key that a text is, with its scopes; None for anything else."""
        return self._keys.verify(text)

    def _look_up_key(self, digest: str) -> Key | None:
        return self._read(lambda connection: keyring.find(connection, digest))

    # --- requests that count once --------------------------------------------------------

    def claim(self, request: Once) -> Claim:
        """Claim a request before its effect; see :func:`leadml.store.once.claim`."""

        def effect(connection: sa.Connection) -> Claim | LeadmlError:
            try:
                return once.claim(connection, request)
            except LeadmlError as error:
                return error  # nothing was written: the writes that share the commit stand

        found = self._write(effect)
        if isinstance(found, LeadmlError):
            raise found
        return found

    def settle(self, claimed: Claim, status: int, answer: str) -> None:
        """Keep the answer of a request whose effect lies outside the store."""
        self._write(lambda connection: once.settle(connection, claimed, status, answer))

    def release(self, claimed: Claim) -> None:
        """Give up a claim whose effect was not made."""
        self._write(lambda connection: once.release(connection, claimed))

    def forget_old_requests(self) -> int:
        """Drop answers that no repeat may ask for any more; returns how many."""
        return self._write(once.forget_old)

    # --- the audit log --------------------------------------------------------------------

    def note_action(self, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Add an entry to the audit log; it must not tell of a person."""
        self._write(lambda on: self._audit(on, actor, action, subject, dict(detail)))

    def audit_log(self) -> list[dict[str, Any]]:
        """All entries, oldest first."""
        return self._read(auditing.entries)

    def broken_audit_links(self) -> list[str]:
        """Where the audit log was edited, in words; empty when it was not."""
        return self._browse(auditing.broken_links)

    def audit_head(self) -> str:
        """Number and link of the newest entry, to be kept elsewhere: ``SEQ:LINK``.

        Whoever can write the database can also write the whole chain anew; a head kept
        elsewhere shows that too.
        """
        seq, link = self._read(auditing.head)
        return f"{seq}:{link}"

    def holds_audit_head(self, kept: str) -> bool:
        """Whether the log still holds the entry that a head kept elsewhere names."""
        seq, _, link = kept.strip().partition(":")
        if not (seq.isascii() and seq.isdigit() and len(seq) < 16):
            return False
        found = self._read(lambda on: auditing.link_at(on, int(seq)))
        return found is not None and found == link

    # --- ways in ----------------------------------------------------------------------------

    def _record_decisions(self, connection: sa.Connection, items: list[Decision]) -> list[Recorded]:
        ids = {decision.lead_id for decision in items if decision.lead_id is not None}
        return record_decisions(connection, items, self._erased(connection, ids))

    def _record_reports(self, connection: sa.Connection, items: list[Report]) -> list[Reporting]:
        ids = {report.lead_id for report in items}
        return record_reports(connection, items, self._erased(connection, ids))

    def _erased(self, connection: sa.Connection, lead_ids: Iterable[str]) -> frozenset[str]:
        return erasing.erased_among(connection, self._tombstones(connection), lead_ids)

    def _tombstones(self, connection: sa.Connection) -> bytes:
        if self._tombstone_key is None:
            self._tombstone_key = erasing.tombstone_key(connection)
        return self._tombstone_key

    def _audit(
        self, connection: sa.Connection, actor: str, action: str, subject: str, detail: Any
    ) -> None:
        auditing.append(
            connection,
            at_us=us_of(now()),
            actor=actor,
            action=action,
            subject=subject,
            detail=detail,
        )

    def _do(
        self,
        effect: Callable[[sa.Connection, list[Any]], list[Any]],
        items: Sequence[Any],
        claimed: Claim | None,
        answer: Answer | None,
    ) -> list[Any]:
        if claimed is None or answer is None:
            return self._writes.do(effect, items)

        def counted(connection: sa.Connection) -> list[Any]:
            results = effect(connection, list(items))
            once.settle(connection, claimed, *answer(results))
            return results

        return self._write(counted)

    def _write(self, effect: Callable[[sa.Connection], T]) -> T:
        found: T = self._writes.do(lambda connection, _: [effect(connection)], [None])[0]
        return found

    def _write_later(self, effect: Callable[[sa.Connection], object]) -> Future[list[Any]]:
        return self._writes.submit(lambda connection, _: [effect(connection)], [None])

    def _browse(self, look: Callable[[sa.Connection], T]) -> T:
        """Read much, on a connection of its own, however long it takes."""
        with self._database.reading() as connection:
            if self.kind == "postgresql":
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            return look(connection)

    def _read(self, look: Callable[[sa.Connection], T]) -> T:
        if self.kind == "sqlite":
            with self._database.reading() as connection:
                return look(connection)
        found: T = self._reads.do(lambda connection, _: [look(connection)], [None])[0]
        return found
