"""leadml.evaluation.checks.lml031_placeholders."""

import numpy as np
import pytest

from leadml.evaluation.checks.lml031_placeholders import run
from tests.checks.planted import history

PLACE = np.arange(3000)


@pytest.mark.parametrize("word", ["Select", "UNKNOWN", "-", "Not provided", "n.a.", "not known"])
def test_words_for_no_answer_are_found(word):
    """A column that holds such a word in one cell of five is named, with the word and shares."""
    city = np.where(PLACE % 5 == 0, word, np.where(PLACE % 3 == 0, "Pune", "Delhi")).astype(object)
    city[PLACE % 7 == 0] = None
    found = run(history(add={"city": city}))
    assert (found.status, found.severity, found.columns) == ("found", "tip", ("city",))
    assert word in found.detail
    (figure,) = found.evidence["figures"]
    assert figure["share"] == pytest.approx(0.2 * 6 / 7, abs=0.01)
    assert figure["share_missing"] == pytest.approx(1 / 7, abs=0.01)
    names = [point["name"] for point in found.evidence["shares"][0]["points"]]
    assert names == ["answered", word, "empty"]


def test_answers_are_no_placeholders():
    """Words that answer ("other", "none of these", "Unknown Pleasures") pass, and so does a few."""
    words = np.array(["other", "none", "Unknown Pleasures"], dtype=object)[PLACE % 3]
    few = np.where(PLACE < 20, "unknown", "known")
    assert run(history(add={"record": words, "few": few})).status == "passed"
    numbers = history(drop=["source", "country"])
    assert run(numbers).status == "not_applicable"
