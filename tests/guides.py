"""Runs the code blocks of a guide, one shell for all of it, and compares what they print."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"^( *)```([a-z]*)( look)?\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
RUN = {"bash", "python", "javascript"}
SHOWN = {"json", "text"}
PROGRAMS = {"python": (".py", sys.executable), "javascript": (".js", "node")}
ANYTHING = "…"
LONGEST_S = 240
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line where it starts.

    One marked ``look`` changes nothing, and is run again until it prints what is shown.
    """

    language: str
    text: str
    line: int
    look: bool


def blocks(guide: Path) -> list[Block]:
    """All fenced blocks of a guide, in order."""
    text = guide.read_text("utf-8")
    return [
        Block(
            found[2],
            re.sub(rf"^{found[1]}", "", found[4], flags=re.MULTILINE),
            1 + text.count("\n", 0, found.start()),
            bool(found[3]),
        )
        for found in BLOCK.finditer(text)
    ]


def agree(shown: Any, real: Any) -> bool:
    """Whether an answer is as shown; ``…`` in a text is anything, at a list's end more."""
    if isinstance(shown, dict) and isinstance(real, dict):
        return shown.keys() == real.keys() and all(agree(shown[key], real[key]) for key in shown)
    if isinstance(shown, list) and isinstance(real, list):
        if shown and shown[-1] == ANYTHING:
            shown, real = shown[:-1], real[: len(shown) - 1]
        return len(shown) == len(real) and all(map(agree, shown, real))
    if isinstance(shown, str) and ANYTHING in shown:
        return fits(shown, real if isinstance(real, str) else json.dumps(real))
    return type(shown) is type(real) and bool(shown == real)


def fits(shown: str, real: str) -> bool:
    """Whether a line is as shown, ``…`` standing for anything."""
    escaped = re.sub(r"([\[\]*?])", r"[\1]", shown)
    return fnmatch.fnmatchcase(real, escaped.replace(ANYTHING, "*"))


class Shell:
    """One bash in which the blocks of a guide run after one another."""

    def __init__(self, folder: Path, surroundings: Mapping[str, str]) -> None:
        self.folder = folder
        self.n_programs = 0
        self.complaints = (folder / "stderr.txt").open("w")
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env={**os.environ, **surroundings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            text=True,
            start_new_session=True,
        )

    def run(self, block: str) -> tuple[int, str]:
        """Status and standard output of some lines."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{block}\nprintf '\\n--end-- %s\\n' $?\n")
        self.process.stdin.flush()
        lines: list[str] = []
        for line in self.process.stdout:
            if line.startswith("--end-- "):
                return int(line.split()[1]), "".join(lines).rstrip("\n")
            lines.append(line)
        raise AssertionError(f"the shell ended inside: {block}")

    def program(self, language: str, text: str) -> tuple[int, str]:
        """Status and standard output of a program in another language."""
        suffix, runner = PROGRAMS[language]
        self.n_programs += 1
        path = self.folder / f"block{self.n_programs}{suffix}"
        path.write_text(text, "utf-8")
        return self.run(f"{runner} {path}")


@contextmanager
def shell(folder: Path, surroundings: Mapping[str, str]) -> Iterator[Shell]:
    """A shell and all that it started, ended at the end."""
    opened = Shell(folder, surroundings)
    watch = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(LONGEST_S)
    try:
        yield opened
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, watch)
        os.killpg(opened.process.pid, signal.SIGKILL)
        opened.process.communicate()
        opened.complaints.close()


def _too_long(*_: Any) -> None:
    raise TimeoutError(f"a guide took more than {LONGEST_S} s")


def as_shown(language: str, shown: str, printed: str) -> bool:
    """Whether a block printed what stands below it."""
    if language == "json":
        try:
            return agree(json.loads(shown), json.loads(printed))
        except ValueError:
            return False
    lines, said = shown.rstrip("\n").split("\n"), printed.split("\n")
    return len(lines) == len(said) and all(map(fits, lines, said))


def walk(guide: Path, folder: Path, surroundings: Mapping[str, str], put: Mapping[str, str]) -> int:
    """Run a guide from its first block to its last; gives how many blocks ran.

    Parameters
    ----------
    guide
        The document.
    folder
        Where its commands run.
    surroundings
        Environment variables.
    put
        What stands in the guide, and what stands for it on this machine.
    """
    found = blocks(guide)
    ran = 0
    with shell(folder, surroundings) as opened:
        for block, below in zip(found, [*found[1:], None], strict=True):
            place = f"{guide.name}:{block.line}"
            if block.language not in RUN:
                assert block.language in SHOWN, f"{place}: nothing runs or compares this block"
                assert ran, f"{place}: nothing was run before"
                continue
            text = replaced(block.text, put)
            shown = below is not None and below.language in SHOWN
            deadline = time.monotonic() + (PATIENCE_S if block.look else 0)
            while True:
                run = opened.run if block.language == "bash" else None
                status, printed = run(text) if run else opened.program(block.language, text)
                said = (folder / "stderr.txt").read_text("utf-8")[-2000:]
                assert status == 0, f"{place} ended with {status}: {printed}\n{said}"
                if not shown or as_shown(below.language, replaced(below.text, put), printed):
                    break
                assert time.monotonic() < deadline, f"{place} printed {printed}\n{said}"
                time.sleep(0.3)
            ran += 1
    return ran


def replaced(text: str, put: Mapping[str, str]) -> str:
    """A text with what stands for its placeholders here."""
    for there, here in put.items():
        text = text.replace(there, here)
    return text
