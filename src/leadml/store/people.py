"""What the memory offers to those who let people in."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from leadml.errors import SignInFailed, SignInThrottled, StoreUnavailable
from leadml.store import attempts, erasing, sessions, users
from leadml.store.records import now, us_of
from leadml.store.sessions import NOTED_EVERY, Session
from leadml.store.users import User

__all__ = ["People"]

T = TypeVar("T")
Effect = Callable[[sa.Connection], Any]


class People:
    """Users and sessions of one store.

    Parameters
    ----------
    write, read
        Run a function within a transaction of the store.
    later
        Queues a write without waiting for it.
    note
        Adds an entry to the audit log: connection, actor, action, subject, detail.
    """

    def __init__(
        self,
        write: Callable[[Effect], Any],
        read: Callable[[Effect], Any],
        later: Callable[[Effect], object],
        note: Callable[[sa.Connection, str, str, str, Any], None],
    ) -> None:
        self._write = write
        self._read = read
        self._later = later
        self._note = note

    # --- users --------------------------------------------------------------------

    def add(self, name: str, password: str, role: str = "viewer", *, by: str = "cli") -> User:
        """Let a person sign in.

        Parameters
        ----------
        name
            Letters, digits and ``._@+-``, such as an e-mail address; case does not count.
        role
            ``viewer``, ``manager`` or ``admin``.

        Raises
        ------
        ConfigError
            The name is taken, or name, password or role cannot be used.
        """
        name, role = users.name_of(name), users.checked_role(role)
        hashed = users.hashed(password, name)

        def effect(connection: sa.Connection) -> User:
            made = users.add(connection, name=name, password=hashed, role=role)
            self._note(connection, by, "user.add", name, {"role": role})
            return made

        return self._write(effect)

    def listed(self) -> list[User]:
        """Everybody, by name."""
        return self._read(users.listed)

    def set_password(self, name: str, password: str, *, by: str = "cli") -> User:
        """Change a password; ends the person's sessions and forgets failed sign-ins.

        Raises
        ------
        UserUnknown, ConfigError
            Nobody has the name; the password cannot be used.
        """
        name = users.name_of(name)
        hashed = users.hashed(password, name)

        def effect(connection: sa.Connection) -> User:
            changed = users.change(connection, name, password=hashed)
            attempts.clear(connection, self._subject(connection, "name", name))
            self._note(connection, by, "user.password", name, {})
            return changed

        return self._write(effect)

    def set_role(self, name: str, role: str, *, by: str = "cli") -> User:
        """Change what a person may do; ends their sessions.

        Raises
        ------
        UserUnknown, ConfigError
            Nobody has the name; there is no such role.
        """
        name, role = users.name_of(name), users.checked_role(role)

        def effect(connection: sa.Connection) -> User:
            changed = users.change(connection, name, role=role)
            self._note(connection, by, "user.role", name, {"role": role})
            return changed

        return self._write(effect)

    def remove(self, name: str, *, by: str = "cli") -> None:
        """Delete a person; ends their sessions.

        Raises
        ------
        UserUnknown
            Nobody has the name.
        """
        name = users.name_of(name)

        def effect(connection: sa.Connection) -> None:
            users.remove(connection, name)
            self._note(connection, by, "user.remove", name, {})

        self._write(effect)

    # --- sessions -----------------------------------------------------------------

    def sign_in(self, name: str, password: str, address: str = "") -> tuple[str, Session]:
        """Open a session for who knows the password; takes about 0.1 s.

        An unknown name and a wrong password take the same time and give the same error.

        Parameters
        ----------
        address
            Where the request comes from; failures are counted by it too.

        Returns
        -------
        tuple
            The session's token, this once, and the session.

        Raises
        ------
        SignInFailed
            Name and password do not belong together.
        SignInThrottled
            Too many attempts failed; this one was not looked at.
        """
        name = users.name_of(name)

        def begin(connection: sa.Connection) -> tuple[float, int, Any]:
            by_name = self._subject(connection, "name", name)
            limits = {by_name: attempts.PER_NAME}
            if address:
                limits[self._subject(connection, "address", address)] = attempts.PER_ADDRESS
            wait_s, failures = attempts.begin(connection, limits, us_of(now()))
            return wait_s, failures.get(by_name, 0), users.find(connection, name)

        wait_s, failures, known = self._write(begin)
        if wait_s > 0:
            raise SignInThrottled(math.ceil(wait_s))
        right, renewed = users.verified(password, None if known is None else known[1])
        if not right:
            # an unknown name may be a password typed into the wrong field
            subject = "nobody" if known is None else name
            self._write(
                lambda on: self._note(
                    on, subject, "session.refuse", subject, {"in_a_row": failures}
                )
            )
            raise SignInFailed("name and password do not belong together")

        def effect(connection: sa.Connection) -> tuple[str, Session] | None:
            present = users.find(connection, name)
            if present is None or present[1] != known[1]:
                return None  # removed or changed while the password was looked at
            attempts.clear(connection, self._subject(connection, "name", name))
            if address:
                attempts.ease(connection, self._subject(connection, "address", address))
            users.signed_in(connection, name, us_of(now()), renewed)
            token = sessions.open_for(connection, name)
            self._note(connection, name, "session.open", name, {})
            opened = sessions.find(connection, token, now())
            return None if opened is None else (token, opened)

        opened = self._write(effect)
        if opened is None:
            raise SignInFailed("name and password do not belong together")
        return opened

    def session(self, token: str, at: datetime | None = None) -> Session | None:
        """The open session that a token belongs to; None for anything else.

        Its use is noted every few minutes, which keeps it open.
        """
        if not sessions.looks_like_token(token):
            return None
        moment = at or now()
        found: Session | None = self._read(lambda on: sessions.find(on, token, moment))
        if found is not None and moment - found.seen_at > NOTED_EVERY:
            with suppress(StoreUnavailable):  # the session stands; its next use notes it
                self._later(lambda on: sessions.note(on, token, moment))
        return found

    def sign_out(self, token: str) -> None:
        """End a session; one that is not open stays so."""

        def effect(connection: sa.Connection) -> None:
            found = sessions.find(connection, token, now())
            sessions.close(connection, token)
            if found is not None:
                self._note(connection, found.name, "session.close", found.name, {})

        if sessions.looks_like_token(token):
            self._write(effect)

    def _subject(self, connection: sa.Connection, kind: str, text: str) -> str:
        return attempts.subject_of(erasing.tombstone_key(connection), kind, text)
