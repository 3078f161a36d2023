"""Answers written at once: the bytes that encoding the answer itself would give."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import hand_made
import held
import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leadml.api import written
from leadml.api.bodies import parse
from leadml.api.metrics import Tally, warning_key
from leadml.api.routes import (
    lead_of,
    score_drafted,
    scores_drafted,
    scores_finished,
    scores_written,
)
from leadml.api.written import KEPT, Pen
from leadml.errors import LeadmlError
from leadml.leads import Stage
from leadml.registry.bundle import read_bundle
from leadml.scorecard import reasons_of
from leadml.service.answers import WARNINGS_SHOWN, Exact, answer, answers
from leadml.service.memory import Memory, decision_of, found_by_recording
from leadml.service.serving import Served
from leadml.settings import Settings
from leadml.store import Recorded

SERVED = Served.of("leads", "7", held.bundle())
MEMORY = Memory(Settings(database_url="", value_field="visits"))
LEADS = hand_made.leads(60)
NAMES = [*hand_made.schema().names, "lead_id", "shoe_size"]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        ["Software", " Retail", "Trade fair", "NA", "7.5", "x" * 300, 'a"\\\n\x7f', "é"]
    ),
    st.text(max_size=8),
    st.integers(-9, 9999),
    st.floats(0, 1e4),
    st.floats(allow_nan=False, allow_infinity=False),
)
FIELDS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)
IDS = st.one_of(st.text(min_size=1, max_size=5), st.integers(0, 99), st.none())
SOUND = st.fixed_dictionaries({"lead": FIELDS}, optional={"lead_id": IDS})
ODD = st.one_of(
    st.sampled_from(
        [3, [], {}, {"lead": 3}, {"lead": {}, "x": 1}, {"lead_id": "", "lead": LEADS[0]}]
    ),
    st.just({"lead": {"employees": [1]}}),
    st.just({"lead_id": "L", "lead": {"employees": "many"}}),
    st.just({"lead": LEADS[0], "contact_consent": True}),
)
LIMITS = st.sampled_from([0, 1, 3, 5, 99, None])
# next to what rounding could get wrong
TIES = [
    *(k / 1e4 + 0.00005 for k in (0, 1, 12344, -7, -8)),
    *(math.log(r) for r in (0.095, 0.95, 1.05, 0.995, 1.005, 2.25, 2.35, 99.95, 99.85, 0.15)),
    *(math.log(r) for r in (0.094, 9999.995, 12345.675, 1e-5)),
    *(0.0, -0.0, -0.00001, 40.0),
]
POINTS = st.one_of(
    st.sampled_from(TIES),
    st.sampled_from(TIES).map(lambda x: math.nextafter(x, 1)),
    st.sampled_from(TIES).map(lambda x: math.nextafter(x, -1)),
    st.floats(-30, 30),
)


def body_of(leads: list[Any]) -> bytes:
    """The body that carries these leads, if JSON can."""
    return json.dumps({"leads": leads}).encode("utf-8")


def answered(lead: Any, limit: int | None) -> dict[str, Any]:
    """The answer to one lead, to be encoded."""
    known = lead.get("lead_id")
    lead_id = None if known is None else str(known)
    fields = parse(json.dumps(lead["lead"]).encode("utf-8"))
    return answer(SERVED.scorer, SERVED.policy, SERVED.versions, lead_id, fields, limit)


def results_of(leads: list[Any], limit: int | None) -> list[dict[str, Any]]:
    """What the leads of a request are answered, each by itself, to be encoded."""
    found: list[dict[str, Any]] = []
    for item in parse(body_of(leads))["leads"]:
        lead_id = None
        try:
            lead_id, fields, _ = lead_of(item)
            parts = SERVED.scorer, SERVED.policy, SERVED.versions
            found.append(answer(*parts, lead_id, fields, limit))
        except LeadmlError as error:
            known = {} if lead_id is None else {"lead_id": lead_id}
            found.append({**known, "error": written.row_error(error)})
    return found


def whole(results: list[dict[str, Any]]) -> bytes:
    """The encoded answer to a request."""
    model, policy = SERVED.versions
    return orjson.dumps({"model_version": model, "policy_version": policy, "results": results})


def marked(found: dict[str, Any], recorded: Recorded) -> dict[str, Any]:
    """An answer with what recording it found."""
    warnings = found.pop("warnings")
    found["stage"] = recorded.stage.value
    if recorded.kept:
        found["decision_id"] = recorded.decision_id
    late = [warned._asdict() for warned in found_by_recording(recorded)]
    return {**found, "warnings": [*warnings, *late]}


def counts_of(results: list[dict[str, Any]]) -> Tally:
    """Answers counted one by one."""
    sound = [found for found in results if "error" not in found]
    warned = Counter(
        warning_key(one["code"], one.get("field", "")) for f in sound for one in f["warnings"]
    )
    return Tally(
        dict(Counter(found["proposed_stage"] for found in sound)),
        dict(warned),
        dict(Counter(found["error"]["code"] for found in results if "error" in found)),
        [found["probability"] for found in sound],
    )


def sendable(leads: Any) -> bool:
    """Whether a body with these leads passes the door."""
    try:
        parse(body_of(leads))
    except LeadmlError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(SOUND, SOUND, ODD), max_size=9).filter(sendable), LIMITS)
@example([], 5)
@example([{"lead": {"employees": "many"}}], None)
def test_batches_have_the_bytes_of_their_answers(leads: list[Any], limit: int | None) -> None:
    """A request's leads, sound, odd or refused: bytes and counts are those of plain encoding."""
    found, tally = scores_written(Pen(SERVED), body_of(leads), limit, 100)
    expected = results_of(leads, limit)
    assert found == whole(expected)
    assert tally == counts_of(expected)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(SOUND, SOUND, ODD), max_size=9).filter(sendable),
    LIMITS,
    st.lists(
        st.builds(
            Recorded,
            st.just("dec_1"),
            st.sampled_from(Stage),
            st.just(Stage.COLD),
            st.booleans(),
            st.booleans(),
        ),
        min_size=9,
        max_size=9,
    ),
)
def test_recorded_batches_have_the_bytes_of_marked_answers(
    leads: list[Any], limit: int | None, recorded: list[Recorded]
) -> None:
    """Stages, decisions and late warnings of a batch, each with its own lead; refusals stay."""
    pen = Pen(SERVED)
    made = scores_drafted(pen, body_of(leads), limit, 100, MEMORY)
    expected = results_of(leads, limit)
    sound = [place for place, found in enumerate(expected) if "error" not in found]
    assert len(made.decisions) == len(sound)
    for place, kept in zip(sound, recorded, strict=False):
        expected[place] = marked(expected[place], kept)
    found, tally = scores_finished(pen, made, recorded[: len(sound)])
    assert found == whole(expected)
    assert tally == counts_of(expected)
    again = scores_drafted(pen, body_of(leads), limit, 100, MEMORY)
    lost, _ = scores_finished(pen, again, None)
    told = [one.get("persisted", True) for one in json.loads(lost)["results"]]
    assert told == [place not in sound for place in range(len(expected))]


@settings(max_examples=300, deadline=None)
@given(SOUND.filter(lambda lead: sendable([lead])), LIMITS)
def test_one_lead_has_the_bytes_it_has_among_others(lead: Any, limit: int | None) -> None:
    """The answer of /v1/score stands byte for byte in that of /v1/scores, whatever is around."""
    pen = Pen(SERVED)
    body = json.dumps(lead).encode("utf-8")
    among, _ = scores_written(pen, body_of([{"lead": LEADS[0]}, lead, {"lead": {}}]), limit, 9)
    result = json.loads(among)["results"][1]
    if "error" in result:
        with pytest.raises(LeadmlError) as caught:
            score_drafted(pen, body, limit)
        assert written.row_error(caught.value) == result["error"]
        return
    alone = pen.unrecorded(score_drafted(pen, body, limit)[0])
    assert alone.body == orjson.dumps(answered(lead, limit))
    assert alone.body in among
    shown = json.loads(alone.body)
    assert (alone.proposed_stage, alone.probability) == (
        shown["proposed_stage"],
        shown["probability"],
    )


@settings(max_examples=300, deadline=None)
@given(
    SOUND.filter(lambda lead: sendable([lead])),
    LIMITS,
    st.sampled_from(Stage),
    st.booleans(),
    st.booleans(),
)
@example({"lead": {"employees": 3, "x": 1}}, 0, Stage.SAL, False, False)
def test_a_recorded_answer_has_the_bytes_of_a_marked_one(
    lead: Any, limit: int | None, stage: Stage, kept: bool, may_contact: bool
) -> None:
    """Stage, decision and late warnings stand where plain encoding puts them, singly or not."""
    pen, body = Pen(SERVED), json.dumps(lead).encode("utf-8")
    try:
        expected = answered(lead, limit)
    except LeadmlError:
        return
    recorded = Recorded("dec_1", stage, Stage.COLD, kept=kept, may_contact=may_contact)
    found = pen.recorded(score_drafted(pen, body, limit)[0], recorded)
    lost = pen.lost(score_drafted(pen, body, limit)[0])
    assert json.loads(lost.body) == {**expected, "persisted": False}
    expected = marked(expected, recorded)
    assert found.body == orjson.dumps(expected)
    assert (found.proposed_stage, found.probability) == (
        expected["proposed_stage"],
        expected["probability"],
    )
    assert [one.code for one in found.warnings] == [one["code"] for one in expected["warnings"]]


@settings(max_examples=200, deadline=None)
@given(SOUND.filter(lambda lead: sendable([lead])), LIMITS, st.sampled_from([None, True, False]))
def test_a_lead_leaves_one_decision_on_every_way(
    lead: Any, limit: int | None, consent: bool | None
) -> None:
    """What is remembered is the same from /v1/score, /v1/scores and a past brought in."""
    asked = {**lead, "contact_consent": consent}
    try:
        _, alone = score_drafted(Pen(SERVED), json.dumps(asked).encode("utf-8"), limit, MEMORY)
    except LeadmlError:
        return
    assert alone is not None
    (among,) = scores_drafted(Pen(SERVED), body_of([asked]), limit, 9, MEMORY).decisions
    assert among == replace(alone, at=among.at, decision_id=among.decision_id)
    keep: dict[int, Exact] = {}
    parts = SERVED.scorer, SERVED.policy, SERVED.versions
    (found,) = answers(*parts, [alone.lead_id], [alone.inputs], limit, keep)
    assert isinstance(found, dict)
    made = decision_of(SERVED, alone.inputs, consent, found, keep[0], MEMORY.value_of(alone.inputs))
    told = [{"field": reason["field"], "text": reason["text"]} for reason in made.reasons]
    same = {"at": alone.at, "decision_id": alone.decision_id, "reasons": told}
    assert alone == replace(made, **same)


@settings(max_examples=500, deadline=None)
@given(st.tuples(POINTS, POINTS, POINTS, POINTS))
def test_digits_are_those_of_python(points: tuple[float, ...]) -> None:
    """Ties of every digit are rounded as one reason alone is, on both ways of writing."""
    schema = hand_made.schema()
    raw: list[Any] = ["Software", 3.0, None, None]
    (first, *_), _ = reasons_of(schema, points, raw, None)
    pen = Pen(SERVED)
    at = schema.names.index(first["field"])
    before, behind, said = pen._said[at][raw[at]]
    alone = before[1:] + b"".join(pen._figures(points[at], behind))
    assert alone == orjson.dumps(first)
    assert first["text"].startswith(said)
    order = np.argsort(-np.abs(points), kind="stable")[:, None]
    readings = [np.array([value], dtype=object) for value in raw]
    pieces = pen._reasons(order, np.array(points)[order], readings)
    expected, _ = reasons_of(schema, points, raw, None)
    assert b"".join(piece for (piece,) in pieces) == orjson.dumps(expected)[1:-1]


def test_thousands_of_warnings_are_cut_alike() -> None:
    """A lead with more warnings than are shown is cut as the answer of one lead is."""
    lead = {**LEADS[0], **{f"x{k}": k for k in range(WARNINGS_SHOWN + 9)}}
    ((body,), tally) = Pen(SERVED).many([None], [lead])
    expected = answer(SERVED.scorer, SERVED.policy, SERVED.versions, None, lead)
    assert body == orjson.dumps(expected)
    assert tally.warned["unknown_field", ""] == WARNINGS_SHOWN + 9


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither many values, long ones nor many figures fill the memory of a server."""
    monkeypatch.setattr(written, "_MOST_FIGURES", 50)
    pen = Pen(SERVED)
    n = 2 * KEPT
    leads = [{"industry": f"trade {k}", "employees": k + 0.5, f"x{k}": 1} for k in range(n)]
    leads.append({"industry": "y" * 10_000})
    pen.many([None] * len(leads), leads, None)
    assert max(map(len, pen._said)) == KEPT
    assert len(pen._digits) <= 50
    assert len(pen._notes) <= 50
    assert all(warned.code != "unknown_field" for warned in pen._notes)


def test_one_field_read_by_several_columns_is_warned_of_once() -> None:
    """A lead without its time of creation gets one warning of it, in every way of answering."""
    home = Path(__file__).parent / "golden_bundle"
    served = Served.of("leads", "1", read_bundle(home / "bundle"))
    lead = {"industry": "Software", "industri": "x"}
    expected = answer(served.scorer, served.policy, served.versions, None, lead)
    fields = [warning["field"] for warning in expected["warnings"]]
    assert (fields[0], fields.count("created_at")) == ("industri", 1)
    assert not any(field.startswith("created_at.") for field in fields)
    pen = Pen(served)
    assert pen.unrecorded(pen.one(None, lead)).body == orjson.dumps(expected)
    ((body,), tally) = pen.many([None], [lead])
    assert body == orjson.dumps(expected)
    assert tally == counts_of([expected])
    assert len(pen.one(None, lead).warnings) == len(fields)
