"""Score and contributions: the same bits on every path."""

import hand_made
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned import learned

from leadml.errors import InvalidField, InvalidValue
from leadml.leads import Schema
from leadml.scorecard import Scorecard, Scorer, in_order
from leadml.scorecard.scorer import MOST_GUESSED
from leadml.training.learning import with_reference

numbers = st.one_of(
    st.none(),
    st.floats(allow_nan=False),
    st.integers(-(10**9), 10**9),
    st.sampled_from(["", "12", " 7.5 ", "1e3", "NA", True]),
)
words = st.one_of(
    st.none(), st.sampled_from(["web", " fair", "ad", "referral", "city 3", "Zürich"]), st.text()
)
leads = st.fixed_dictionaries(
    {}, optional={"visits": numbers, "employees": numbers, "source": words, "city": words}
)


@pytest.fixture(scope="module")
def scorer():
    """The learned scorecard, with reference percentiles."""
    frame, _, _, _, found = learned()
    return Scorer(with_reference(found.scorecard, frame))


@settings(max_examples=300, deadline=None)
@given(st.lists(leads, min_size=1, max_size=12))
def test_one_many_and_frame_give_the_same_bits(scorer, rows):
    """Any leads a CRM could send: log-odds, chance, score, contributions, warnings agree."""
    many = scorer.many(rows)
    names = sorted(scorer.schema.sources)
    frame = scorer.frame(pd.DataFrame([{n: r.get(n) for n in names} for r in rows], dtype=object))
    for at, row in enumerate(rows):
        one = scorer.one(row)
        for batch in (many, frame):
            assert batch.log_odds[at] == one.log_odds
            assert batch.probability[at] == one.probability
            assert batch.contributions_of(at) == one.contributions
            assert batch.score[at] == scorer.score_of(one.log_odds)
            parts = (batch.fit_score[at], batch.engagement_score[at])
            assert parts == scorer.fit_engagement(one.contributions)
            assert batch.values(at) == one.values
        assert sorted(many.warnings.get(at, [])) == sorted(one.warnings)


@settings(max_examples=200, deadline=None)
@given(leads)
def test_contributions_add_up_to_the_log_odds(scorer, lead):
    """Base plus contributions is the log-odds of the probability, to 1e-9."""
    one = scorer.one(lead)
    assert scorer.scorecard.base + sum(one.contributions) == pytest.approx(one.log_odds, abs=1e-9)
    if 1e-12 < one.probability < 1 - 1e-12:
        back = np.log(one.probability) - np.log1p(-one.probability)
        assert back == pytest.approx(one.log_odds, abs=1e-3 if abs(back) > 20 else 1e-9)


@settings(max_examples=100, deadline=None)
@given(st.lists(leads, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_key_order_changes_nothing(scorer, rows, random):
    """A mapping has no order."""
    for row in rows:
        keys = list(row)
        random.shuffle(keys)
        assert scorer.one({key: row[key] for key in keys}).log_odds == scorer.one(row).log_odds


def test_a_chunk_border_changes_nothing(scorer):
    """Rows beyond one chunk score as they do alone."""
    frame, *_ = learned()
    tiled = pd.concat([frame] * 7, ignore_index=True)
    batch = scorer.frame(tiled)
    assert len(batch) > 8192
    for at in (0, 8191, 8192, len(batch) - 1):
        assert batch.log_odds[at] == scorer.one(tiled.iloc[at].to_dict()).log_odds


def test_scores_of_the_reference_leads_are_spread_evenly(scorer):
    """A score is the share outranked: about one percent of the reference per score."""
    frame, *_ = learned()
    scores = scorer.frame(frame).score
    assert scores.min() == 0
    assert scores.max() >= 98
    for score in (25, 50, 75):
        assert (scores < score).mean() == pytest.approx(score / 100, abs=0.02)


def test_a_better_lead_never_scores_lower(scorer):
    """Score is monotone in log-odds."""
    frame, *_ = learned()
    batch = scorer.frame(frame)
    order = np.argsort(batch.log_odds)
    assert (np.diff(batch.score[order]) >= 0).all()


def test_text_where_a_number_belongs_is_refused_with_its_place():
    """The error points at the field; in a table it names the rows, counted from 1."""
    scorer = Scorer(hand_made.scorecard())
    with pytest.raises(InvalidField) as caught:
        scorer.one({"employees": "many"})
    assert caught.value.pointer == "/lead/employees"
    assert "many" not in caught.value.sentence()
    with pytest.raises(InvalidValue) as table:
        scorer.frame(pd.DataFrame({"employees": ["3", "many", "4", "few"]}, dtype=object))
    assert table.value.column == "employees"
    assert table.value.rows == (2, 4)


def test_one_bad_lead_spoils_no_other():
    """With collect, errors are kept by position and the others are scored."""
    scorer = Scorer(hand_made.scorecard())
    batch = scorer.many([{"employees": 5}, {"employees": "x"}, {"employees": 7}], collect=True)
    assert list(batch.errors) == [1]
    assert np.isnan(batch.probability[1])
    assert batch.log_odds[2] == scorer.one({"employees": 7}).log_odds


def test_surprises_are_named():
    """Unseen categories, unknown fields, missing fields and numbers out of range are warned of."""
    scorer = Scorer(hand_made.scorecard())
    one = scorer.one({"industry": "Piracy", "employees": 1e9, "source": "Webinar", "colour": "red"})
    found = {(warned.code, warned.field) for warned in one.warnings}
    assert found == {
        ("unseen_category", "industry"),
        ("out_of_range", "employees"),
        ("unknown_field", "colour"),
        ("missing_field", "pricing_page_views_30d"),
    }


def test_what_training_knew_but_does_not_use_is_no_surprise():
    """Ids and outcomes may be sent along without a warning."""
    scorer = Scorer(hand_made.scorecard())
    lead = hand_made.leads(1)[0] | {"converted": "no"}
    assert all(warned.code != "unknown_field" for warned in scorer.one(lead).warnings)


def test_a_scorecard_survives_plain_data():
    """as_dict and from_dict give the same bits back."""
    frame, _, _, _, found = learned()
    card = with_reference(found.scorecard, frame)
    again = Scorecard.from_dict(card.as_dict())
    assert (Scorer(again).frame(frame).log_odds == Scorer(card).frame(frame).log_odds).all()
    assert again.as_dict() == card.as_dict()


def test_a_number_far_beyond_counts_as_the_farthest_seen():
    """Slopes end at the ends of what was learned from, lead by lead and in batches."""
    scorer = Scorer(hand_made.scorecard())
    for far, farthest in ((1e9, 10_000.0), (-5.0, 0.0)):
        expected = scorer.one({"employees": farthest}).contributions
        assert scorer.one({"employees": far}).contributions == expected
        assert scorer.many([{"employees": far}]).contributions_of(0) == expected


def test_an_empty_list_of_leads_gives_an_empty_batch(scorer):
    """Nothing in, nothing out."""
    assert len(scorer.many([])) == 0


def test_a_base_shift_moves_every_lead_by_the_same_log_odds_and_no_score(scorer):
    """Recalibration moves chances, not ranks."""
    frame, *_ = learned()
    moved = Scorer(scorer.scorecard.with_base_shift(0.5)).frame(frame)
    before = scorer.frame(frame)
    np.testing.assert_allclose(moved.log_odds - before.log_odds, 0.5, atol=1e-12)
    assert np.abs(moved.score - before.score).max() <= 1


def test_a_scorecard_without_columns_gives_every_lead_its_base():
    """Nothing to read is no failure, one by one and in tables."""
    scorer = Scorer(Scorecard(Schema(()), -1.0, ()))
    assert scorer.one({}).log_odds == -1.0
    assert scorer.many([{}, {}]).log_odds.tolist() == [-1.0, -1.0]


def test_a_typo_comes_first_and_is_guessed():
    """A name near a field of the model is told first, with that field; each name is sought once."""
    scorer = Scorer(hand_made.scorecard())
    lead = {"industri": "Software", "employees": 1e9, "colour": "red", "y" * 100: 1}
    first, *others = in_order(scorer.one(lead).warnings)
    assert (first.field, first.detail.partition("; did")[2]) == ("colour", "")
    assert others[0].detail.endswith("did you mean 'industry'?")
    assert [one.code for one in others[:3]] == ["unknown_field"] * 2 + ["missing_field"]
    assert sorted(scorer._guessed) == ["colour", "industri"]
    scorer.many([{f"x{k}": 1, "employees": 5} for k in range(MOST_GUESSED + 9)])
    assert len(scorer._guessed) == MOST_GUESSED
