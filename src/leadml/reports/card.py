"""The model card in Markdown, from the same facts as the report."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from leadml.reports import words
from leadml.reports.story.cuts import threshold_table
from leadml.reports.story.estimates import two_roles
from leadml.reports.story.everyone import everyone, level_table
from leadml.reports.story.method import metric_rows
from leadml.reports.story.opening import origin, verdict_of
from leadml.reports.story.parts import Cell, Table
from leadml.reports.story.ranges import effect_names

__all__ = ["model_card"]

Fact = Mapping[str, Any]

EFFECTS_LISTED = 15
_SPECIAL = re.compile(r"([\\`*_{}\[\]#|<>~$])")
_BREAKS = re.compile(r"\s*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+\s*")
_SCHEME = re.compile(r"(?i)\b(https?|ftp|www)(?=[:.])")


def _plain(text: object) -> str:
    """Text of others on one line, with nothing that Markdown or HTML would act on."""
    line = _BREAKS.sub(" ", words.tidy(str(text))).replace("&", "&amp;")
    return _SCHEME.sub(r"\1\\", _SPECIAL.sub(r"\\\1", line)).replace("\\<", "&lt;")


def _cell(value: object) -> str:
    if isinstance(value, Cell):
        return f"{value.value} ({value.interval})" if value.interval else value.value
    return _plain(value)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    if not rows:
        return []
    lines = [
        "| " + " | ".join(_plain(h) or " " for h in head) + " |",
        "|" + "|".join([" --- "] + [" ---: "] * (len(head) - 1)) + "|",
    ]
    lines += ["| " + " | ".join(_cell(c) for c in row) + " |" for row in rows]
    return [*lines, ""]


def _of(table: Table | None) -> list[str]:
    return _table(table.head, table.rows) if table else []


def _detail(check: Fact) -> str:
    """What a check found, and why people silenced it."""
    detail = str(check.get("detail") or "")
    if check.get("status") != "silenced":
        return detail
    return f"{detail} Silenced because: {check.get('reason') or 'no reason was given'}".strip()


def model_card(facts: Fact) -> str:
    """A model card: what the model is for, from what, how good, its limits.

    Parameters
    ----------
    facts
        Plain facts of a training run; optional parts may be absent.

    Returns
    -------
    str
        Markdown. The same facts give the same bytes; text of others is escaped.
    """
    model = facts["model"]
    version = model.get("version")
    name = f"{model.get('name')}@{version}" if version else str(model.get("name"))
    word, sentence, rule = verdict_of(facts)
    lines = [f"# {_plain(name)}", "", f"**{word}** {_plain(sentence)}", ""]
    if rule:
        lines += [f"Rule: {_plain(rule)}", ""]
    for line in origin(facts):
        lines += [_plain(line), ""]
    for title, chapter in _CHAPTERS:
        told = chapter(facts)
        if told:
            lines += [f"## {title}", "", *told]
    return "\n".join(lines)


def _use(facts: Fact) -> list[str]:
    data = facts["data"]
    horizon = (facts.get("labels") or {}).get("horizon_days")
    return [
        "Ranks leads by the chance that they convert"
        + (f" within {horizon:g} days" if horizon else "")
        + f" ({_plain(data.get('target'))} = {_plain(data.get('positive'))}) and proposes the "
        "stages MQL and SQL; people accept, qualify and close. "
        "Not for decisions about credit, employment or housing.",
        "",
    ]


def _data(facts: Fact) -> list[str]:
    data, labels = facts["data"], facts.get("labels") or {}
    period = data.get("period") or {}
    told = [
        ("Source", _plain(data.get("source"))),
        ("Digest", _plain(data.get("digest"))),
        ("Leads", f"{words.count(data['n_leads'])} of {words.count(data['n_rows'])} rows"),
        (
            "Conversions",
            f"{words.count(data['n_conversions'])} ({words.chance(data['base_rate'])})",
        ),
    ]
    if period:
        told.append(("Period", f"{words.day(period.get('from'))} to {words.day(period.get('to'))}"))
    if labels.get("n_unknown"):
        told.append(("Unknown yet", f"{words.count(labels['n_unknown'])} leads, left out"))
    return [
        *(f"- {key}: {value}" for key, value in told),
        *(
            f"- Set aside: {_plain(one['column'])} ({_plain(one['reason'])})"
            for one in data.get("dropped") or ()
        ),
        "",
    ]


def _quality(facts: Fact) -> list[str]:
    protocol = facts.get("protocol") or {}
    lines = []
    if protocol.get("name"):
        lines += [
            f"Protocol: {_plain(protocol['name'])}; {words.count(protocol.get('n_train'))} leads "
            f"to learn, {words.count(protocol.get('n_test'))} to test.",
            "",
        ]
    lines += _table(("Measure", "Value", "95 % interval", "Protocol"), metric_rows(facts))
    return lines + _table(
        ("Baseline", "ROC AUC", "Log loss", "Brier"),
        [
            (b["name"], *(words.digits(b.get(k)) for k in ("roc_auc", "log_loss", "brier")))
            for b in facts.get("baselines") or ()
        ],
    )


def _everyone(facts: Fact) -> list[str]:
    whole = everyone(facts)
    if whole is None:
        return []
    lines = [_plain(whole.body["note"]), ""]
    for column in (*(facts.get("groups") or ()), *(facts.get("segments") or ())):
        lines += _of(level_table(column))
    return lines


def _thresholds(facts: Fact) -> list[str]:
    policy = facts.get("policy")
    if not policy:
        return []
    return [_plain(policy.get("reason") or ""), "", *_of(threshold_table(facts))]


def _drivers(facts: Fact) -> list[str]:
    effects = [e for e in facts.get("effects") or () if float(e.get("importance") or 0.0) > 0]
    roles = two_roles(facts)
    lines = _table(
        (
            "Column",
            *(("Role",) if roles else ()),
            "Share of the model",
            "Raises most",
            "Lowers most",
        ),
        [
            (
                words.name_of(e),
                *((e.get("role") or "",) if roles else ()),
                words.chance(float(e["importance"])),
                *effect_names(e),
            )
            for e in effects[:EFFECTS_LISTED]
        ],
    )
    if len(effects) > EFFECTS_LISTED:
        lines += [f"and {len(effects) - EFFECTS_LISTED} weaker columns.", ""]
    return lines


def _limits(facts: Fact) -> list[str]:
    return [
        "- It knows only what was recorded, and says what goes together with conversion, not what "
        "causes it.",
        "- Columns that move together share their effect.",
        "- A chance holds for leads like those it learned from; compare it with outcomes as they "
        "come in.",
        *(f"- {_plain(note)}" for note in facts.get("notes") or ()),
        "",
    ]


def _checks(facts: Fact) -> list[str]:
    return _table(
        ("Code", "Status", "Check", "Detail"),
        [
            (check["code"], check.get("status"), check["title"], _detail(check))
            for check in facts.get("checks") or ()
        ],
    )


def _gate(facts: Fact) -> list[str]:
    return _table(
        ("Line", "Status", "Sentence"),
        [
            (one["name"], str(one["status"]).replace("_", " "), words.signed(one["sentence"]))
            for one in (facts.get("gate") or {}).get("lines") or ()
        ],
    )


def _method(facts: Fact) -> list[str]:
    model = facts["model"]
    size, proof = facts.get("size") or {}, facts.get("proof") or {}
    lines = []
    if size.get("columns"):
        lines.append(
            f"- Scorecard: {words.count(size['columns'])} columns, "
            f"{words.count(size.get('pairs') or 0)} pairs, "
            f"{words.count(size.get('cells') or 0)} cells"
        )
    if proof:
        lines.append(
            f"- Proof: on {words.count(proof.get('rows'))} rows tables and trees differ by at most "
            f"{words.tiny(float(proof.get('max_difference') or 0.0))}"
        )
    return [
        *lines,
        f"- Seed: {_plain(model.get('seed'))}",
        f"- leadml: {_plain(model.get('leadml_version'))}",
        "",
    ]


_CHAPTERS: Final[tuple[tuple[str, Callable[[Fact], list[str]]], ...]] = (
    ("Intended use", _use),
    ("Data", _data),
    ("How good it is", _quality),
    ("Does it hold for everyone?", _everyone),
    ("Thresholds", _thresholds),
    ("What drives conversion", _drivers),
    ("Limits", _limits),
    ("Checks", _checks),
    ("The gate before it may serve", _gate),
    ("Method", _method),
)
"""Titles and what gives the lines of each chapter; one without lines is left out."""
