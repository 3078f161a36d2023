"""How a command speaks: progress and errors on stderr, one answer on stdout."""

from __future__ import annotations

import contextlib
import errno
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import typer

from leadml.errors import FileUnwritable, LeadmlError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from leadml.service import Leadml

__all__ = [
    "NEEDS_LOOK",
    "AsJson",
    "Steps",
    "answer",
    "failing_in_one_sentence",
    "group",
    "interval",
    "lines_of",
    "say",
    "tell",
    "warn",
]

NEEDS_LOOK: Final = 3
"""Exit code of a command that did its work and found what somebody has to look at."""

AsJson = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]

NOT_WRITABLE = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EISDIR,
    errno.ENOENT,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}

Work = Callable[["Leadml", "Steps"], dict[str, Any]]


def group(what: str) -> typer.Typer:
    """Commands under one word, told in a line; without one of them they are listed."""
    commands = typer.Typer(help=what, no_args_is_help=True, rich_markup_mode=None)
    commands.callback()(lambda: None)  # a single command stays under its word
    return commands


def say(text: str = "") -> None:
    """Print one line of the answer on stdout."""
    typer.echo(text)


def warn(text: str) -> None:
    """Print one line beside the answer, on stderr."""
    typer.echo(text, err=True)


def interval(estimate: Mapping[str, Any], digits: int = 3, percent: bool = False) -> str:
    """An estimate with its interval, as people read it.

    Examples
    --------
    >>> interval({"value": 0.80123, "low": 0.79, "high": 0.81})
    '0.801 (0.790 to 0.810)'
    >>> interval({"value": 0.25}, digits=0, percent=True)
    '25 %'
    """

    def form(value: float) -> str:
        return f"{value * 100:.{digits}f} %" if percent else f"{value:,.{digits}f}"

    text = form(estimate["value"])
    low, high = estimate.get("low"), estimate.get("high")
    return text if low is None or high is None else f"{text} ({form(low)} to {form(high)})"


def lines_of(policy: Mapping[str, Any]) -> str:
    """The MQL and SQL lines as people read them; a line above 1 lets nobody through.

    Examples
    --------
    >>> lines_of({"mql": 0.134, "sql": 2.0})
    'MQL from 13.4%, SQL for nobody'
    """
    words = (
        f"{name} from {policy[key]:.1%}" if policy[key] <= 1 else f"{name} for nobody"
        for name, key in (("MQL", "mql"), ("SQL", "sql"))
    )
    return ", ".join(words)


def tell(
    found: dict[str, Any], show: Callable[[dict[str, Any]], None], as_json: bool = False
) -> None:
    """Print what was found: by ``show`` for people, or as exactly one JSON object."""
    if as_json:
        _say_object(found)
    else:
        show(found)


def _say_object(found: dict[str, Any]) -> None:
    say(json.dumps(found, ensure_ascii=False, allow_nan=False))


class Steps:
    """Progress of a long command on stderr: bars in a terminal, plain lines elsewhere.

    An instance is the ``progress(step, done, total)`` that the service calls;
    ``total`` may be 0 where the end is not known.

    Parameters
    ----------
    quiet
        Show nothing at all.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._step: str | None = None
        self._started = time.monotonic()
        self._bars: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TimeElapsedColumn(),
                console=Console(stderr=True),
            )
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close(finished=error is None)
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, step: str, done: float = 0.0, total: float = 0.0) -> None:
        """Say that ``done`` of ``total`` parts of ``step`` are behind us."""
        if self._quiet:
            return
        if step != self._step:
            self._close(finished=True)
            self._step, self._started = step, time.monotonic()
            if self._bars is not None:
                self._task = self._bars.add_task(step, total=total or None)
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=done, total=total or None)

    def _close(self, finished: bool) -> None:
        if self._step is None:
            return
        if self._bars is not None and self._task is not None and finished:
            self._bars.update(self._task, completed=1, total=1)
        elif self._bars is None:
            seconds = time.monotonic() - self._started
            warn(f"{self._step}: {'done in' if finished else 'stopped after'} {seconds:.1f} s")
        self._step = None


@contextlib.contextmanager
def failing_in_one_sentence(as_json: bool = False) -> Iterator[None]:
    """Turn an error that leadml names into one sentence on stderr and an exit code.

    So is a place that the system does not let anybody write. Anything else is a bug and
    keeps its traceback.

    Parameters
    ----------
    as_json
        Also print ``{"error": {…}}`` on stdout, for callers that read objects.
    """
    try:
        try:
            yield
        except OSError as error:
            if error.errno not in NOT_WRITABLE or not error.filename:
                raise
            raise FileUnwritable(
                f"'{error.filename}' cannot be written: {error.strerror}",
                fix="name a place that exists, has room and may be written",
            ) from error
    except LeadmlError as error:
        warn(error.sentence())
        if as_json:
            _say_object({"error": error.as_dict()})
        raise typer.Exit(error.exit_code) from error


def answer(
    work: Work, show: Callable[[dict[str, Any]], None], as_json: bool = False
) -> dict[str, Any]:
    """Do one thing that the service can do, then print its answer.

    Parameters
    ----------
    work
        Called with the service and the progress to report to; gives plain data.
    show
        Prints that data for people.
    as_json
        Print the data as exactly one JSON object instead. Whatever libraries print
        meanwhile goes to stderr.
    """
    with failing_in_one_sentence(as_json):
        from leadml.service import Leadml
        from leadml.settings import Settings

        with Steps() as steps, contextlib.redirect_stdout(sys.stderr):
            found = work(Leadml(Settings()), steps)
        tell(found, show, as_json)
    return found
