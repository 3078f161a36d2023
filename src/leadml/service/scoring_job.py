"""The child process that scores the file of one job."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from leadml.errors import Internal, LeadmlError
from leadml.service.jobs import ROW_ERRORS_SHOWN, now, read_json, write_json

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["run"]

PART_ROWS: Final = 8_192
TELL_EVERY_S: Final = 0.5


def run(home: Path) -> None:
    """Score a job's file, tell how far it is, and leave the result and an end.

    A table that cannot be scored at all ends the job as failed, with the code and the
    fix of the refusal; a row that cannot be read is named and spoils no other.
    """
    import fcntl

    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another process, left by a server that was killed, is at it
            fcntl.flock(lock, fcntl.LOCK_EX)
        if (home / "end").exists():
            return
        _come_last()
        try:
            _score(home)
            end: dict[str, Any] = {"state": "done"}
        except LeadmlError as error:
            end = {"state": "failed", "error": error.as_dict()}
        except MemoryError:
            full = Internal("the file needs more memory than there is", fix="split the file")
            end = {"state": "failed", "error": full.as_dict()}
        write_json(home / "end", {**end, "finished_at": now()})
        (home / "input").unlink(missing_ok=True)  # personal data is not kept longer than needed


def _come_last() -> None:
    """A request comes first; and where memory runs out the job ends, not the server."""
    os.nice(5)
    with contextlib.suppress(OSError):  # only Linux has it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _score(home: Path) -> None:
    from leadml.datasets.write import write_parts
    from leadml.service.files import answer_table, read_leads, refuse_missing_columns
    from leadml.service.scoring import served_as_answered
    from leadml.settings import Settings

    asked = read_json(home / "job.json")
    served = served_as_answered(Settings())
    schema = served.scorer.schema
    progress: dict[str, Any] = {
        "state": "running",
        "rows_done": 0,
        "n_row_errors": 0,
        "row_errors": [],
        "model_version": served.versions.model,
        "policy_version": served.versions.policy,
    }
    write_json(home / "progress", progress)
    frame = read_leads(home / "input", schema)
    if not asked["allow_missing"]:
        refuse_missing_columns(frame, schema)
    progress["rows"] = len(frame)
    told = 0.0

    def parts() -> Iterator[pd.DataFrame]:
        nonlocal told
        for start in range(0, len(frame), PART_ROWS):
            part = frame.iloc[start : start + PART_ROWS]
            table, refused = answer_table(served, part, start, asked["reasons"])
            yield table
            progress["rows_done"] = start + len(part)
            progress["n_row_errors"] += len(refused)
            more = ROW_ERRORS_SHOWN - len(progress["row_errors"])
            progress["row_errors"] += [_named(row, error) for row, error in refused[:more]]
            if time.monotonic() - told > TELL_EVERY_S:
                write_json(home / "progress", progress)
                told = time.monotonic()

    write_parts(parts(), home / "result", asked["result_format"])
    write_json(home / "progress", progress)


def _named(row: int, error: LeadmlError) -> dict[str, Any]:
    field = {} if error.column is None else {"field": error.column}
    return {"row": row, "code": error.code, **field, "detail": error.detail}


if __name__ == "__main__":
    run(Path(sys.argv[1]))
