"""MLflow connected to: its database made ready, its chatter stilled, its failures named."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from leadml.errors import (
    DriverMissing,
    ExtraMissing,
    LeadmlError,
    RegistryError,
    VersionUnknown,
)
from leadml.registry.place import artifacts_uri, shown_uri, sqlite_path

__all__ = ["connected", "naming_failures", "prepare"]

_QUIET: Final = ("mlflow", "alembic")
_ENVIRONMENT: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",  # or the caller's own uv.lock is logged with the model
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # stdout belongs to the command
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
_FIX: Final = "see that MLflow runs and can write, then repeat this"
_DATABASES: Final = frozenset({"sqlite", "postgresql", "mysql", "mssql"})
_PREPARING: Final = threading.Lock()  # MLflow's migrations take one thread at a time


@contextmanager
def connected(uri: str, refusal: str) -> Iterator[Any]:
    """A client of MLflow, imported now; whatever it raises inside gets a name of ours.

    Parameters
    ----------
    uri
        Tracking URI, absolute.
    refusal
        What MLflow does not do where it fails, such as ``does not list versions``.

    Raises
    ------
    ExtraMissing
        MLflow is not installed.
    DriverMissing
        The driver of its database is not installed.
    VersionUnknown
        There is no database, or MLflow knows no such thing.
    RegistryError
        It refuses or does not answer; passwords are left out.
    """
    path = sqlite_path(uri)
    if path is not None and not path.exists():
        raise VersionUnknown(
            f"nothing was registered yet: there is no tracking database '{path}'",
            fix="train a first model, or name its place in MLFLOW_TRACKING_URI",
        )
    with naming_failures(uri, refusal):
        from mlflow import MlflowClient

        _look(uri)
        yield MlflowClient(tracking_uri=uri, registry_uri=uri)


def prepare(uri: str, progress: Callable[[str], None]) -> None:
    """Make a fresh SQLite database whole before it gets its name.

    MLflow's migrations cannot be undone half-way; a process killed among them would
    leave a database that no later run can open.

    Raises
    ------
    ExtraMissing
        MLflow is not installed.
    RegistryError
        The database cannot be made.
    """
    path = sqlite_path(uri)
    if path is None or path.exists():
        return
    progress("preparing the MLflow database (once)")
    with _PREPARING, naming_failures(uri, "cannot make its database"):
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
        try:
            root = artifacts_uri(uri)
            store = SqlAlchemyStore(f"sqlite:///{fresh.absolute().as_posix()}", root)
            store.engine.dispose()
            try:
                os.link(fresh, path)  # unlike a rename, leaves what another process made
            except FileExistsError:
                return
            except OSError:  # a file system without hard links
                fresh.rename(path)
        finally:
            fresh.unlink(missing_ok=True)


def _look(uri: str) -> None:
    """Open a database once; MLflow itself would try for a hundred seconds before it says why."""
    if urlsplit(uri).scheme.partition("+")[0] not in _DATABASES:
        return
    from mlflow.store.db.utils import create_sqlalchemy_engine, sqlalchemy

    engine = create_sqlalchemy_engine(uri)
    try:
        sqlalchemy.inspect(engine)
    finally:
        engine.dispose()


@contextmanager
def naming_failures(uri: str, refusal: str, fix: str = _FIX) -> Iterator[None]:
    """Import MLflow, keep it quiet, and give its failures a name of ours, without passwords.

    Parameters and errors are those of :func:`connected`; ``fix`` says what to do where MLflow
    refuses or does not answer.
    """
    password = urlsplit(uri).password

    def refused(error: Exception) -> str:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        if password:
            said = said.replace(password, "…")
        return f"MLflow at {shown_uri(uri)} {refusal}: {said[:300]}"

    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    try:
        from mlflow.exceptions import MlflowException
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            "the model registry needs MLflow, which is not installed",
            fix="pip install 'leadml[train]'",
        ) from error
    with _quiet():
        try:
            yield
        except LeadmlError:
            raise
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise VersionUnknown(refused(error), fix="see: leadml models list") from error
            if "out-of-date database schema" in str(error):
                raise RegistryError(
                    "the tracking database was made by an older MLflow",
                    fix="back it up, then: mlflow db upgrade URI",
                ) from error
            raise RegistryError(refused(error), fix=fix) from error
        except ModuleNotFoundError as error:
            raise DriverMissing(refused(error), fix=f"pip install {error.name}") from error
        except Exception as error:  # of sqlalchemy, requests, protobuf: MLflow lets them through
            if type(error).__module__ == "builtins" and not isinstance(error, OSError):
                raise  # a fault of leadml itself
            raise RegistryError(refused(error), fix=fix) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """MLflow's loggers are silent: it logs, with a traceback, what it also raises."""
    loggers = [logging.getLogger(name) for name in _QUIET]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
