"""A million leads from a frame, with contributions: how fast, in how much more memory."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from leadml.scorecard import Scorecard, Scorer

__all__ = ["main", "peak_mb"]


def peak_mb() -> float:
    """Largest resident memory of this process since it was last reset, in MB; Linux only."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status names no peak")


def main() -> None:
    """Print leads per second of processor time and peak extra memory: FOLDER ROWS ROUNDS."""
    folder, n_rows, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    scorer = Scorer(Scorecard.from_dict(json.loads((folder / "scorecard.json").read_text("utf-8"))))
    leads = pd.read_parquet(folder / "leads.parquet")
    frame = leads.iloc[np.arange(n_rows) % len(leads)].reset_index(drop=True)
    scorer.frame(frame.head(1_000))
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    before = peak_mb()
    rates = []
    for _ in range(rounds):
        began = time.process_time()
        batch = scorer.frame(frame)
        rates.append(len(batch) / (time.process_time() - began))
        if batch.contributions.shape != (n_rows, len(scorer.schema.columns)):
            raise RuntimeError("not every lead has its contributions")
        del batch
    print(json.dumps({"per_s": sorted(rates)[len(rates) // 2], "extra_mb": peak_mb() - before}))


if __name__ == "__main__":
    main()
