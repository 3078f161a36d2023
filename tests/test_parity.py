"""One lead, one score: every way in, in every form that says the same, gives the same bits."""

from __future__ import annotations

import csv
import json
import unicodedata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadml import LeadScorer
from leadml.api.metrics import Metrics
from leadml.api.routes import score_drafted, scores_written
from leadml.api.written import Pen
from leadml.datasets.read import read_table
from leadml.errors import InvalidField, UnknownField
from leadml.registry.bundle import Bundle, read_bundle
from leadml.registry.golden import golden_rows
from leadml.registry.pyfunc import FrameScorer
from leadml.registry.writing import write_bundle
from leadml.scorecard import digits4
from leadml.service.answers import answers
from leadml.service.files import answer_table, score_table
from leadml.service.serving import Served
from tests import hand_made, learned

N = 10_000
ODD = (
    {},
    {"source": "Zürich tram"},
    {"visits": 1e9, "city": None},
    {"employees": "NA", "source": " web "},
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[LeadScorer, Bundle, pd.DataFrame]:
    """An estimator as training leaves it, its bundle, and 10,000 leads."""
    frame, y = learned.table()
    many, _ = learned.table(N - 1_500, seed=9)
    scorer = LeadScorer(random_state=0).fit(frame, y)
    card, policy = scorer.scorecard_, hand_made.policy()
    folder = tmp_path_factory.mktemp("parity") / "1"
    rows = frame.head(40).to_dict("records")
    write_bundle(
        folder,
        scorecard=card,
        policy=policy,
        metrics=hand_made.facts(),
        golden=golden_rows(card, policy, rows),
        card="# leads\n",
    )
    return scorer, read_bundle(folder), pd.concat([frame, many], ignore_index=True)


def test_ten_thousand_leads_score_alike_everywhere(
    model: tuple[LeadScorer, Bundle, pd.DataFrame], tmp_path: Path
) -> None:
    """I5: training's estimator, one, many, frame, bytes, file, job and pyfunc differ by nothing."""
    estimator, bundle, frame = model
    served = Served.of("leads", "1", bundle)
    scorer = served.scorer
    leads = [
        {str(k): v for k, v in row.items() if v == v and v is not None}
        for row in frame.to_dict("records")
    ]
    one = [scorer.one(lead) for lead in leads]
    truth = [found.log_odds for found in one]
    shown = [digits4(found.probability) for found in one]
    for batch in (scorer.many(leads), scorer.frame(frame)):
        assert batch.log_odds.tolist() == truth
        assert batch.contributions.tolist() == [found.contributions for found in one]
    assert estimator.predict_proba(frame)[:, 1].tolist() == [found.probability for found in one]
    body = json.dumps({"leads": [{"lead": lead} for lead in leads]}).encode()
    plain = answers(scorer, served.policy, served.versions, [None] * N, leads)
    written, _ = scores_written(Pen(served), body, 5, N)
    assert json.loads(written)["results"] == plain
    assert [found["probability"] for found in plain if isinstance(found, dict)] == shown
    frame.to_csv(tmp_path / "leads.csv", index=False, quoting=csv.QUOTE_ALL)
    read = read_table(tmp_path / "leads.csv", text=["source", "city"])
    assert score_table(served, read)["probability"].tolist() == shown
    jobbed, refused = answer_table(served, read)
    assert (jobbed["probability"].tolist(), refused) == (shown, [])
    pyfunc = FrameScorer(bundle)
    assert pyfunc.predict(frame)["probability"].tolist() == shown


@pytest.mark.parametrize("lead", ODD[1:])
def test_odd_leads_are_answered_with_a_named_warning(
    model: tuple[LeadScorer, Bundle, pd.DataFrame], lead: dict[str, Any]
) -> None:
    """I6: unseen, absent and extreme values score as documented; each is named and counted."""
    served = Served.of("leads", "1", model[1])
    lead = {**lead, "shoe_size": 42}
    found, tally = scores_written(
        Pen(served), json.dumps({"leads": [{"lead": lead}]}).encode(), 5, 9
    )
    (result,) = json.loads(found)["results"]
    codes = {(warning["code"], warning["field"]) for warning in result["warnings"]}
    assert ("unknown_field", "shoe_size") in codes
    if lead.get("source") == "Zürich tram":
        assert ("unseen_category", "source") in codes
    if lead.get("visits") == 1e9:
        assert ("out_of_range", "visits") in codes
    if "visits" not in lead:
        assert ("missing_field", "visits") in codes
    metrics = Metrics()
    metrics.add(tally)
    counted = {(code, field) for code, field in codes if code != "unknown_field"}
    assert counted | {("unknown_field", "")} == set(metrics.warned)


def test_leads_that_cannot_be_read_are_refused(
    model: tuple[LeadScorer, Bundle, pd.DataFrame],
) -> None:
    """I6: no known field at all, or text where a number belongs, is refused by name."""
    served = Served.of("leads", "1", model[1])
    with pytest.raises(UnknownField):
        score_drafted(Pen(served), b'{"lead": {}}', 5)
    with pytest.raises(InvalidField) as caught:
        score_drafted(Pen(served), b'{"lead": {"visits": "many"}}', 5)
    assert caught.value.pointer == "/lead/visits"


FORMS = {
    "number": st.sampled_from([lambda n: n, float, str, lambda n: f" {n} ", lambda n: f"{n}.0"]),
    "text": st.sampled_from(
        [
            lambda t: t,
            lambda t: f"  {t}\t",
            lambda t: unicodedata.normalize("NFD", t),
            lambda t: t.replace(" ", "   "),
        ]
    ),
}


@settings(max_examples=100)
@given(
    st.integers(0, 40),
    st.sampled_from(["web", "referral", "Zürich Café", "city 3"]),
    st.tuples(FORMS["number"], FORMS["text"], FORMS["text"]),
    st.permutations(["visits", "source", "city"]),
)
def test_the_form_of_a_lead_changes_nothing(
    model: tuple[LeadScorer, Bundle, pd.DataFrame],
    visits: int,
    text: str,
    forms: tuple[Any, Any, Any],
    order: list[str],
) -> None:
    """I7: order of keys, 1 or 1.0 or "1", blanks and Unicode form: the same bits and words."""
    served = Served.of("leads", "1", model[1])
    plain = {"visits": visits, "source": text, "city": text}
    shaped = dict(zip(plain, (form(v) for form, v in zip(forms, plain.values(), strict=True))))  # noqa: B905
    shaped = {name: shaped[name] for name in order}
    expected = b"".join(Pen(served).one("L1", plain, None).pieces)
    assert b"".join(Pen(served).one("L1", shaped, None).pieces) == expected
    ((among,), _) = Pen(served).many(["L1"], [shaped], None)
    assert among == expected
