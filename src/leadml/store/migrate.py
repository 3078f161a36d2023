"""The tables brought to this version, or back to an earlier one, by alembic."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from leadml.errors import ConfigError

__all__ = ["latest_revision", "migrate", "revision_of"]

_LOCK = 4_951_206_733  # an arbitrary number that names leadml's migrations on PostgreSQL


def migrate(connection: sa.Connection, revision: str = "head") -> str:
    """Bring the tables to a revision within the transaction of ``connection``.

    Two processes that start at once do it one after the other: the second finds it done.

    Parameters
    ----------
    connection
        In a writing transaction; the caller commits.
    revision
        ``head``, ``base`` (no tables at all: everything is lost) or a revision between.

    Returns
    -------
    str
        The revision reached; "" for ``base``.

    Raises
    ------
    ConfigError
        The database was made by a later version of leadml.
    """
    from alembic.runtime.environment import EnvironmentContext
    from alembic.util import CommandError

    logging.getLogger("alembic").setLevel(logging.WARNING)  # its set-up is nobody's news
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
    config, scripts = _scripts()
    known = {script.revision for script in scripts.walk_revisions()}
    present = revision_of(connection)
    if present and present not in known:
        raise ConfigError(
            f"the database is of a later version of leadml (revision '{present}')",
            fix="upgrade leadml, or use another database",
        )

    def steps(current: Any, _context: Any) -> Any:
        if revision == "base" or (current and _is_earlier(scripts, revision, current[0])):
            return scripts._downgrade_revs(revision, current)
        return scripts._upgrade_revs(revision, current)

    try:
        with EnvironmentContext(config, scripts, fn=steps) as environment:
            environment.configure(connection=connection)
            environment.run_migrations()
    except CommandError as error:
        raise ConfigError(f"there is no revision '{revision}' of the tables") from error
    return revision_of(connection)


def revision_of(connection: sa.Connection) -> str:
    """The revision of the tables there; "" where there are none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return str(found or "")


def latest_revision() -> str:
    """The revision this version of leadml works with."""
    _, scripts = _scripts()
    return str(scripts.get_current_head())


def _is_earlier(scripts: Any, revision: str, current: str) -> bool:
    if revision == "head":
        return False
    older = [script.revision for script in scripts.walk_revisions("base", current)]
    return revision in older and revision != current


def _scripts() -> tuple[Any, Any]:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config, ScriptDirectory.from_config(config)
