"""A signed bundle of an earlier day scores today as it did then.

``golden_bundle/bundle`` was trained on 4,000 simulated leads (``leadml simulate --seed 5``,
five of their columns and the times) on 22 November 2026 and signed with a key that was
thrown away; ``answers.json`` holds what it said of 104 leads. Neither is ever made anew:
where a change of leadml breaks these tests, bundles in use would break too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from leadml.registry.bundle import read_bundle
from leadml.registry.signing import PublicKeys
from leadml.scorecard import Scorer

HOME = Path(__file__).parent / "golden_bundle"
DIGEST = "edd1087a1dc66be7ec0fa18e285583179972adab5e6adb45e22b5238ae6af730"
TRAINING = (
    "altair", "joblib", "lightgbm", "mlflow", "model_signing", "optuna", "pandas", "pyarrow",
    "scipy", "sigstore", "sklearn",
)  # fmt: skip


def differing() -> list[int]:
    """Leads whose log-odds, contributions or warnings are not to the bit what they were."""
    keys = PublicKeys.of(HOME / "verify.pub")
    scorer = Scorer(read_bundle(HOME / "bundle", digest=DIGEST, keys=keys).scorecard)
    expected: list[dict[str, Any]] = json.loads((HOME / "answers.json").read_text("utf-8"))
    batch = scorer.many([each["lead"] for each in expected])
    found = []
    for i, each in enumerate(expected):
        one = scorer.one(each["lead"])
        same = (
            one.log_odds == each["log_odds"] == batch.log_odds[i]
            and list(one.contributions) == each["contributions"] == batch.contributions[i].tolist()
            and [warning.code for warning in one.warnings] == each["warnings"]
        )
        if not same:
            found.append(i)
    assert len(expected) > 100
    return found


def test_an_old_bundle_scores_identically() -> None:
    """Signature, digest and golden rows hold, and every lead gets the same bits as then."""
    assert differing() == []


def test_an_old_bundle_scores_without_the_training_libraries() -> None:
    """With every library of training made impossible to import the answers are the same."""
    program = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({TRAINING!r}))\n"  # importing any of them now raises
        "from tests.test_golden_bundle import differing\n"
        "print(differing())"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=HOME.parents[1],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said.stdout.strip() == "[]", said.stderr
