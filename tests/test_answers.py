"""Answers: the shape that callers see, and that it adds up."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadml.errors import InvalidField, LeadmlError, UnknownField
from leadml.leads import Stage
from leadml.scorecard import Scorer
from leadml.service.answers import (
    TEXT_SHOWN,
    WARNINGS_SHOWN,
    Versions,
    answer,
    answers,
    stage_without_people,
)
from tests import hand_made

SCORER = Scorer(hand_made.scorecard())
POLICY = hand_made.policy()
VERSIONS = Versions("leads@7", "3")
LEADS = hand_made.leads(60)

VALUES = st.one_of(
    st.none(), st.booleans(), st.text(max_size=8), st.integers(-9, 9999), st.floats(0, 1e4)
)
ANY_LEAD = st.dictionaries(
    st.sampled_from([*hand_made.schema().names, "lead_id", "shoe_size"]), VALUES, max_size=6
)


def ask(lead: dict[str, Any], n_reasons: int | None = 5) -> dict[str, Any]:
    """One answer of the hand-made model."""
    return answer(SCORER, POLICY, VERSIONS, "L1", lead, n_reasons)


def test_names_and_order() -> None:
    """An answer has exactly the names of the contract, in its order."""
    assert list(ask(LEADS[0])) == [
        "lead_id",
        "probability",
        "score",
        "grade",
        "proposed_stage",
        "stage",
        "fit_score",
        "engagement_score",
        "base_probability",
        "reasons",
        "other_log_odds",
        "model_version",
        "policy_version",
        "warnings",
    ]


def test_absent_id_is_left_out() -> None:
    """Without an id the answer has none, rather than null."""
    assert "lead_id" not in answer(SCORER, POLICY, VERSIONS, None, LEADS[0])


@pytest.mark.parametrize("lead", LEADS[:20])
@pytest.mark.parametrize("n_reasons", [0, 2, None])
def test_reasons_add_up(lead: dict[str, Any], n_reasons: int | None) -> None:
    """Base, reasons and the rest give the probability's log-odds, up to the rounding shown."""
    found = ask(lead, n_reasons)
    total = _log_odds(found["base_probability"]) + found.get("other_log_odds", 0.0)
    total += sum(reason["log_odds"] for reason in found["reasons"])
    assert total == pytest.approx(_log_odds(found["probability"]), abs=2e-3)


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_all_reasons_leave_no_rest() -> None:
    """With all reasons there is one per column and no other_log_odds."""
    found = ask(LEADS[0], None)
    assert len(found["reasons"]) == len(SCORER.schema.columns)
    assert "other_log_odds" not in found


def test_reasons_come_strongest_first() -> None:
    """A reason never stands behind a weaker one."""
    strengths = [abs(reason["log_odds"]) for reason in ask(LEADS[0], None)["reasons"]]
    assert strengths == sorted(strengths, reverse=True)


def test_no_people_no_sql() -> None:
    """A lead proposed as SQL stands at MQL until people accept it; others as proposed."""
    seen = {(a["proposed_stage"], a["stage"]) for a in map(ask, LEADS)}
    assert ("sql", "mql") in seen
    assert seen <= {("sql", "mql"), ("mql", "mql"), ("nurture", "nurture"), ("cold", "cold")}
    assert stage_without_people(Stage.SQL) is Stage.MQL


def test_grade_follows_stage() -> None:
    """A grade is the proposed stage in one letter."""
    letters = {"sql": "A", "mql": "B", "nurture": "C", "cold": "D"}
    assert all(a["grade"] == letters[a["proposed_stage"]] for a in map(ask, LEADS))


@given(ANY_LEAD)
@settings(max_examples=300)
def test_one_and_many_agree(lead: dict[str, Any]) -> None:
    """A lead gets the same answer or the same error alone and among others."""
    (together, *_) = answers(SCORER, POLICY, VERSIONS, ["L1", "L2", "L3"], [lead, LEADS[0], {}], 3)
    if isinstance(together, LeadmlError):
        with pytest.raises(LeadmlError) as caught:
            ask(lead, 3)
        alone = caught.value
        assert (alone.code, alone.column, alone.detail) == (
            together.code,
            together.column,
            together.detail,
        )
    else:
        assert together == ask(lead, 3)


@pytest.mark.parametrize("name", [" employees", "Employees ", "EMPLOYEES", "em-ployees"])
def test_name_that_is_nearly_right_is_named(name: str) -> None:
    """Where no field is known, the refusal says how one of them is written."""
    with pytest.raises(UnknownField) as refused:
        answer(SCORER, POLICY, VERSIONS, None, {"shoe_size": 44, name: 3})
    assert refused.value.fix == "write the name exactly as the training table does: employees"


def test_many_keep_count_and_order() -> None:
    """Bad leads leave errors in their places and no trace elsewhere."""
    mixed = [LEADS[0], {}, LEADS[1], {"employees": "many"}, {"employees": [3]}, LEADS[2]]
    found = answers(SCORER, POLICY, VERSIONS, [str(i) for i in range(6)], mixed)
    assert [getattr(item, "code", "ok") for item in found] == [
        "ok",
        "unknown_field",
        "ok",
        "invalid_field",
        "invalid_field",
        "ok",
    ]
    assert [item["lead_id"] for item in found if isinstance(item, dict)] == ["0", "2", "5"]


def test_no_leads_no_answers() -> None:
    """An empty list is answered by an empty list."""
    assert answers(SCORER, POLICY, VERSIONS, [], []) == []


def test_lead_of_nothing_known_is_refused() -> None:
    """A lead whose fields were all renamed is refused with the names expected, not scored alike."""
    with pytest.raises(UnknownField) as caught:
        ask({"Industry": "Software", "shoe_size": "secret"})
    assert "employees, industry, pricing_page_views_30d, source" in caught.value.detail
    assert "secret" not in caught.value.sentence()


@pytest.mark.parametrize("value", [[1], {"a": 1}, [], {}])
@pytest.mark.parametrize("name", ["employees", "industry"])
def test_nested_value_is_refused(name: str, value: Any) -> None:
    """A list or object where one value belongs is refused with its place."""
    with pytest.raises(InvalidField) as caught:
        ask({"source": "Webinar", name: value})
    assert caught.value.pointer == f"/lead/{name}"


def test_fields_beside_the_model_are_warned_of() -> None:
    """An unknown field is named in a warning; one that the training table had is not."""
    found = ask({**LEADS[0], "shoe_size": 42, "converted": "yes"})
    assert {"code": "unknown_field", "field": "shoe_size"}.items() <= found["warnings"][0].items()
    assert all(warning.get("field") != "converted" for warning in found["warnings"])


def test_warnings_are_few() -> None:
    """Thousands of unknown fields make one line, not thousands."""
    found = ask({**LEADS[0], **{f"x{i}": i for i in range(5000)}})
    assert len(found["warnings"]) == WARNINGS_SHOWN + 1
    assert found["warnings"][-1]["code"] == "more_warnings"


def test_long_values_are_cut_in_words() -> None:
    """A value of a million characters is one short line in a reason."""
    found = ask({"industry": "x" * 1_000_000}, None)
    reason = next(r for r in found["reasons"] if r["field"] == "industry")
    assert len(reason["value"]) == TEXT_SHOWN + 1
    assert len(reason["text"]) < 2 * TEXT_SHOWN
