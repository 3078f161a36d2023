"""Answers written as JSON at once, from pieces that are kept.

:mod:`leadml.service.answers` says what an answer is. Here the same answer is put together
as bytes: names, texts and sentences are encoded once, figures are looked up by their last
digit, and nothing is made only to be encoded. One lead and many leads end in the same
pieces, so that a lead has the same bytes on both ways.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from leadml.api.metrics import Tally, warning_key
from leadml.errors import InvalidField, LeadmlError, UnknownField
from leadml.leads.schema import Column
from leadml.leads.values import text_of
from leadml.scorecard import Batch, Scored, Warned, digits4, in_order
from leadml.scorecard.reasons import odds_words
from leadml.scorecard.wording import BY_HAND, WORDS, digits_of
from leadml.service.answers import (
    PLACES,
    REASONS_KEPT,
    TEXT_SHOWN,
    WARNINGS_SHOWN,
    Exact,
    refuse_unreadable,
    warnings_shown,
)
from leadml.service.memory import decision_of, found_by_recording
from leadml.service.serving import Served
from leadml.store import Decision, Recorded

__all__ = ["Draft", "Pen", "Written", "refusal", "row_error"]

KEPT: Final = 512
"""Values kept per column; further ones are encoded each time."""

_LONGEST_KEPT: Final = 200
_MOST_FIGURES: Final = 30_000
_NEAR: Final = 1e-6
_LARGEST: Final = 1e4
_ONE_HUNDREDTH: Final = 905  # WORDS of a factor of k hundredths, 95 to 105, stand at 905 + k
_WORDS: Final = tuple(orjson.dumps(words)[1:-1] + b'"}' for words in WORDS)

Ints = NDArray[np.intp]


class Written(NamedTuple):
    """One answer as JSON, and what is counted of it."""

    body: bytes
    proposed_stage: str
    probability: float
    warnings: Sequence[Warned]


class Draft(NamedTuple):
    """One answer in pieces, of which recording it changes a few.

    Parameters
    ----------
    pieces
        JSON that only has to be joined; the third holds the stage, the last but one opens
        the warnings, the last holds them.
    rank
        4 x score + lines passed.
    fit, engagement
        0–100.
    scored
        In full precision.
    order
        Columns by strength, strongest first.
    words
        What ends the texts of the reasons shown.
    """

    lead_id: str | None
    pieces: list[bytes]
    rank: int
    probability: float
    fit: int
    engagement: int
    warnings: Sequence[Warned]
    scored: Scored
    order: list[int]
    words: list[bytes]


class _Digits(dict[int, bytes]):
    """Numbers of four digits behind the point as JSON, by ten-thousandths."""

    def __missing__(self, whole: int) -> bytes:
        made = orjson.dumps(whole / 1e4)
        if len(self) < _MOST_FIGURES:
            self[whole] = made
        return made


class _Ratios(dict[int, bytes]):
    """Factors with their name, by hundredths."""

    def __missing__(self, hundredths: int) -> bytes:
        made = _ratio(hundredths / 100)
        if len(self) < _MOST_FIGURES:
            self[hundredths] = made
        return made


def _ratio(ratio: float) -> bytes:
    return b',"odds_ratio":' + orjson.dumps(ratio)


def _words(points: float) -> bytes:
    return orjson.dumps(": " + odds_words(points))[1:-1] + b'"}'


class _Said(dict[Any, tuple[bytes, bytes, str]]):
    """What stands before and behind the figures of a reason of one column, by its value.

    The third is the beginning of the reason's text by itself.
    """

    def __init__(self, column: Column) -> None:
        super().__init__()
        self._column = column
        self._name = b',{"field":' + orjson.dumps(column.name)
        self._role = b',"role":' + orjson.dumps(column.role.value) + b',"text":'

    def __missing__(self, raw: float | str | None) -> tuple[bytes, bytes, str]:
        value = text_of(raw)
        said = self._column.say(value)
        before = self._name
        short = value is None or len(value) <= _LONGEST_KEPT
        if value is not None:
            shown = value
            if len(value) > TEXT_SHOWN:
                shown = value[:TEXT_SHOWN] + "…"
                said = said.replace(value, shown)
            before += b',"value":' + orjson.dumps(shown)
        made = (before + b',"log_odds":', self._role + orjson.dumps(said)[:-1], said)
        if short and len(self) < KEPT:
            self[raw] = made
        return made


class _Grades(dict[int, bytes]):
    """Score, grade and stages, by 4 x score + lines passed."""

    def __missing__(self, rank: int) -> bytes:
        made = self[rank] = _graded(rank, PLACES[rank % len(PLACES)][2])
        return made


def _graded(rank: int, stage: str) -> bytes:
    score, passed = divmod(rank, len(PLACES))
    grade, proposed, _ = PLACES[passed]
    return b',"score":%d,"grade":"%s","proposed_stage":"%s","stage":"%s","fit_score":' % (
        score,
        grade.encode(),
        proposed.encode(),
        stage.encode(),
    )


class _Parts(dict[int, bytes]):
    """Fit and engagement up to the first reason, by 1,000 x fit + engagement."""

    def __init__(self, base: float) -> None:
        super().__init__()
        self._base = orjson.dumps(base)

    def __missing__(self, key: int) -> bytes:
        fit, engagement = divmod(key, 1000)
        made = b'%d,"engagement_score":%d,"base_probability":%s,"reasons":[' % (
            fit,
            engagement,
            self._base,
        )
        self[key] = made
        return made


class Pen:
    """Writes the answers of one served model.

    What it keeps is bounded, so it lives as long as the model is served. Safe to share
    between threads: an entry is only ever added, whole, and two threads that add the same
    one add the same bytes.

    Parameters
    ----------
    served
        The model with its policy.
    """

    def __init__(self, served: Served) -> None:
        self.served = served
        scorer, policy, versions = served.scorer, served.policy, served.versions
        self._scorer = scorer
        self._lines = (policy.nurture, policy.mql, policy.sql)
        self._said = [_Said(column) for column in scorer.schema.columns]
        self._names = scorer.schema.names
        self._digits = _Digits()
        self._ratios = _Ratios()
        self._grades = _Grades()
        self._parts = _Parts(scorer.base_shown)
        self._versions = b'"model_version":%s,"policy_version":%s' % (
            orjson.dumps(versions.model),
            orjson.dumps(versions.policy),
        )
        self._tail = b"," + self._versions + b',"warnings":['
        self._notes: dict[Warned, bytes] = {}

    # --- one lead -------------------------------------------------------------------

    def one(self, lead_id: str | None, lead: Mapping[str, Any], n_reasons: int | None = 5) -> Draft:
        """The answer of :func:`leadml.service.answers.answer`, to be finished.

        Raises
        ------
        InvalidField, UnknownField
            See :func:`leadml.service.answers.refuse_unreadable`.
        """
        scorer = self._scorer
        refuse_unreadable(scorer.schema, lead)
        scored = scorer.one(lead)
        points, raw = scored.contributions, scored.raw
        probability = digits4(scored.probability)
        fit, engagement = scorer.fit_engagement(points)
        passed = bisect_right(self._lines, probability)
        rank = scorer.score_of(scored.log_odds) * len(PLACES) + passed
        pieces = [
            _opening(lead_id),
            orjson.dumps(probability),
            self._grades[rank],
            self._parts[fit * 1000 + engagement],
        ]
        order = sorted(range(len(points)), key=list(map(abs, points)).__getitem__, reverse=True)
        kept = order if n_reasons is None else order[:n_reasons]
        words: list[bytes] = []
        for i in kept:
            before, behind, _ = self._said[i][raw[i]]
            if not words:
                before = before[1:]  # the comma
            figures = self._figures(points[i], behind)
            pieces += (before, *figures)
            words.append(figures[-1])
        if n_reasons is None:
            pieces.append(b"]")
        else:
            other = 0.0
            for i in order[n_reasons:]:
                other += points[i]
            pieces.append(b'],"other_log_odds":')
            pieces.append(orjson.dumps(round(other, 4) + 0.0))
        pieces.append(self._tail)
        warnings = scored.warnings
        if warnings:
            warnings = in_order(warnings)
            pieces.append(self._noted(warnings) + b"]}")
        else:
            pieces.append(b"]}")
        return Draft(
            lead_id, pieces, rank, probability, fit, engagement, warnings, scored, order, words
        )

    def unrecorded(self, draft: Draft) -> Written:
        """An answer that nobody wants to be recorded."""
        stage = PLACES[draft.rank % len(PLACES)][1]
        return Written(b"".join(draft.pieces), stage, draft.probability, draft.warnings)

    def lost(self, draft: Draft) -> Written:
        """An answer that could not be recorded, and says so."""
        ending = draft.pieces[-1][:-1] + b',"persisted":false}'
        return self.unrecorded(draft._replace(pieces=[*draft.pieces[:-1], ending]))

    def recorded(self, draft: Draft, recorded: Recorded) -> Written:
        """An answer with what recording it found: stage, decision, warnings."""
        pieces, warnings = [*draft.pieces], draft.warnings
        _, proposed, alone = PLACES[draft.rank % len(PLACES)]
        stage = recorded.stage.value
        if stage != alone:
            pieces[2] = _graded(draft.rank, stage)
        if recorded.kept:
            pieces[-2] = b',%s,"decision_id":"%s","warnings":[' % (
                self._versions,
                recorded.decision_id.encode(),
            )
        if not (recorded.kept and recorded.may_contact):
            found = found_by_recording(recorded)
            notes = [pieces[-1][:-2]] if warnings else []
            pieces[-1] = b",".join([*notes, *map(self._note, found)]) + b"]}"
            warnings = [*warnings, *found]
        return Written(b"".join(pieces), proposed, draft.probability, warnings)

    def decision(
        self, draft: Draft, lead: Mapping[str, Any], consent: bool | None, value: float
    ) -> Decision:
        """All that is needed to replay an answer; see :func:`~leadml.service.memory.decision_of`.

        Parameters
        ----------
        lead
            Fields as they were sent.
        consent
            What the request said about contact; None for nothing.
        value
            What winning the lead is worth.
        """
        score, passed = divmod(draft.rank, len(PLACES))
        grade, proposed, _ = PLACES[passed]
        answer = {
            "lead_id": draft.lead_id,
            "probability": draft.probability,
            "score": score,
            "grade": grade,
            "proposed_stage": proposed,
            "fit_score": draft.fit,
            "engagement_score": draft.engagement,
        }
        scored = draft.scored
        exact = Exact(scored.log_odds, scored.contributions, self._told(draft))
        return decision_of(self.served, lead, consent, answer, exact, value)

    def _told(self, draft: Draft) -> list[dict[str, Any]]:
        """The strongest reasons in words, however many are shown."""
        points, raw, words = draft.scored.contributions, draft.scored.raw, draft.words
        told = []
        for place, i in enumerate(draft.order[:REASONS_KEPT]):
            _, behind, said = self._said[i][raw[i]]
            ending = words[place] if place < len(words) else self._figures(points[i], behind)[-1]
            told.append({"field": self._names[i], "text": said + ending[:-2].decode()})
        return told

    def whole(self, results: Sequence[bytes]) -> bytes:
        """Results of many leads as the answer to a request."""
        return b'{%s,"results":[%s]}' % (self._versions, b",".join(results))

    def _figures(self, points: float, behind: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        """What :func:`~leadml.scorecard.wording.digits_of` does, for one reason."""
        scaled = points * 1e4
        whole = round(scaled)
        if abs(scaled - whole) > 0.5 - _NEAR * (1 + abs(points)):
            shown = orjson.dumps(round(points, 4) + 0.0)
        else:
            shown = self._digits[whole]
        ratio = math.exp(points)
        if not 0.0951 <= ratio <= 99.9:
            return shown, _ratio(round(ratio, 2)), behind, _words(points)
        room = 0.5 - _NEAR * (1 + ratio)
        scaled = ratio * 100
        hundredths = round(scaled)
        if abs(scaled - hundredths) > room:
            return shown, _ratio(round(ratio, 2)), behind, _words(points)
        scaled = ratio * 10
        tenths = round(scaled)
        if abs(scaled - tenths) > room:
            return shown, self._ratios[hundredths], behind, _words(points)
        place = hundredths + _ONE_HUNDREDTH if tenths == 10 else tenths
        return shown, self._ratios[hundredths], behind, _WORDS[place]

    # --- many leads -----------------------------------------------------------------

    def many(
        self,
        lead_ids: Sequence[str | None],
        leads: Sequence[dict[str, Any]],
        n_reasons: int | None = 5,
    ) -> tuple[list[bytes], Tally]:
        """For each lead what :meth:`one` writes, or why it cannot be read; and the counts."""
        scorer = self._scorer
        refused: dict[int, LeadmlError] = {}
        sound: Sequence[int] = range(len(leads))
        batch = scorer.many(leads, collect=True)
        if batch.nested or batch.errors or any(map(scorer.schema.sources.isdisjoint, leads)):
            for row, lead in enumerate(leads):
                try:
                    refuse_unreadable(scorer.schema, lead)
                except (InvalidField, UnknownField) as error:
                    refused[row] = error
            refused = {**batch.errors, **refused}
            sound = [row for row in sound if row not in refused]
            batch = scorer.many([leads[row] for row in sound])
        shown = list(map(digits4, batch.probability.tolist()))
        passed = np.searchsorted(self._lines, shown, side="right")
        written = self._write([lead_ids[row] for row in sound], batch, shown, passed, n_reasons)
        for row in sorted(refused):
            written.insert(row, refusal(lead_ids[row], refused[row]))
        return written, _tally(batch, shown, passed, refused.values())

    def _write(
        self,
        lead_ids: Sequence[str | None],
        batch: Batch,
        shown: list[float],
        passed: Ints,
        n_reasons: int | None,
    ) -> list[bytes]:
        """Pieces of all leads side by side, then joined lead by lead."""
        n, width = batch.contributions.shape
        kept = width if n_reasons is None else min(n_reasons, width)
        order = np.argsort(-np.abs(batch.contributions), axis=1, kind="stable")
        ordered = np.take_along_axis(batch.contributions, order, axis=1)
        pieces: list[Iterable[bytes]] = [
            map(_opening, lead_ids),
            map(orjson.dumps, shown),
            _looked_up(self._grades, batch.score * len(PLACES) + passed),
            _looked_up(self._parts, batch.fit_score * 1000 + batch.engagement_score),
        ]
        if kept and n:
            pieces += self._reasons(order[:, :kept].T, ordered[:, :kept].T, batch.readings)
        if n_reasons is None:
            pieces.append(repeat(b"]" + self._tail))
        else:
            other = np.zeros(n)
            for place in range(kept, width):
                other += ordered[:, place]
            pieces.append(repeat(b'],"other_log_odds":'))
            pieces.append(_looked_up(self._digits, digits_of(other).log_odds))
            pieces.append(repeat(self._tail))
        ends = [b"]}"] * n
        for row, noted in self._all_noted(batch).items():
            ends[row] = noted + b"]}"
        pieces.append(ends)
        return list(map(b"".join, zip(*pieces, strict=False)))  # some repeat for ever

    def _reasons(
        self,
        columns: Ints,
        points: NDArray[np.float64],
        readings: Sequence[NDArray[Any]],
    ) -> list[list[bytes]]:
        """Five pieces for each place; ``columns`` and ``points`` have shape (places, n)."""
        places, n = columns.shape
        flat = columns.ravel()
        strengths = points.ravel()
        before, behind = np.empty((2, places * n), dtype=object)
        for i, said in enumerate(self._said):
            found = np.flatnonzero(flat == i)
            if not len(found):
                continue
            values = readings[i][found % n].tolist()
            if readings[i].dtype.kind == "f":
                values = [None if value != value else value for value in values]  # NaN
            pairs = [said[value] for value in values]
            before[found] = [pair[0] for pair in pairs]
            behind[found] = [pair[1] for pair in pairs]
        digits = digits_of(strengths)
        ratios = _looked_up(self._ratios, digits.odds_ratio)
        words = [_WORDS[place] for place in digits.words.tolist()]
        for at in np.flatnonzero(digits.odds_ratio == BY_HAND).tolist():
            ratios[at] = _ratio(round(math.exp(strengths[at]), 2))
        for at in np.flatnonzero(digits.words == BY_HAND).tolist():
            words[at] = _words(float(strengths[at]))
        opened = before.tolist()
        opened[:n] = [piece[1:] for piece in opened[:n]]  # the comma
        whole = (opened, _looked_up(self._digits, digits.log_odds), ratios, behind.tolist(), words)
        return [kind[at : at + n] for at in range(0, places * n, n) for kind in whole]

    # --- warnings and counts ---------------------------------------------------------

    def _note(self, warned: Warned) -> bytes:
        made = self._notes.get(warned)
        if made is None:
            made = orjson.dumps(warned._asdict())
            if warned.code != "unknown_field" and len(self._notes) < _MOST_FIGURES:
                self._notes[warned] = made
        return made

    def _noted(self, warnings: Sequence[Warned]) -> bytes:
        if len(warnings) > WARNINGS_SHOWN:
            return orjson.dumps(warnings_shown(warnings))[1:-1]
        return b",".join(map(self._note, warnings))

    def _all_noted(self, batch: Batch) -> dict[int, bytes]:
        """Warnings as JSON by row; in the order in which one lead's are shown."""
        found: dict[int, list[bytes]] = {}
        for warned, rows in batch.distinct:
            note = self._note(warned)
            for row in rows.tolist():
                found.setdefault(row, []).append(note)
        noted = {row: b",".join(notes) for row, notes in found.items()}
        for row, notes in found.items():
            if len(notes) > WARNINGS_SHOWN:
                noted[row] = self._noted(in_order(batch.warnings[row]))
        return noted


def _tally(batch: Batch, shown: list[float], passed: Ints, refused: Iterable[LeadmlError]) -> Tally:
    counts = np.bincount(passed, minlength=len(PLACES)).tolist()
    warned: dict[tuple[str, str], int] = {}
    for one, rows in batch.distinct:
        key = warning_key(one.code, one.field)
        warned[key] = warned.get(key, 0) + len(rows)
    return Tally(
        stages={PLACES[at][1]: n for at, n in enumerate(counts) if n},
        warned=warned,
        refused=dict(Counter(error.code for error in refused)),
        probabilities=shown,
    )


def row_error(error: LeadmlError) -> dict[str, str]:
    """Why one lead of many has no answer, as the answer shows it."""
    found = {"code": error.code}
    if error.column is not None:
        found["field"] = error.column
    found["detail"] = error.detail
    return found


def refusal(lead_id: str | None, error: LeadmlError) -> bytes:
    """What stands in the place of an answer."""
    known = {} if lead_id is None else {"lead_id": lead_id}
    return orjson.dumps({**known, "error": row_error(error)})


def _opening(lead_id: str | None) -> bytes:
    if lead_id is None:
        return b'{"probability":'
    return b'{"lead_id":%s,"probability":' % orjson.dumps(lead_id)


def _looked_up(kept: dict[int, bytes], keys: NDArray[np.int64]) -> list[bytes]:
    return list(map(kept.__getitem__, keys.tolist()))
