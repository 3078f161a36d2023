"""Seconds per lead of work that is repeated; needs nothing but Python, for peers use it too."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["answer_rounds", "per_lead", "pin"]


def pin(which: int = -1) -> int | None:
    """Stay on one core, where the system lets a process say so; gives its number."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = sorted(os.sched_getaffinity(0))[which]
    os.sched_setaffinity(0, {core})
    return core


def per_lead(work: Callable[[], int]) -> float:
    """Processor seconds per lead of one run; ``work`` returns how many leads it scored."""
    began = time.process_time()
    n = work()
    return (time.process_time() - began) / n


def answer_rounds(ways: Mapping[str, Callable[[], int]], facts: Mapping[str, Any]) -> None:
    """Say what can be run, then run what each line of standard input names; a peer's side."""
    print(json.dumps({"ways": list(ways), **facts}), flush=True)
    for line in sys.stdin:
        print(json.dumps(per_lead(ways[line.strip()])), flush=True)
