"""Every English text of the pages, in one catalogue.

A translation is another mapping with the same keys and the same placeholders; templates
and views hold no text of their own. ``**bold**`` marks what stands out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["TEXTS", "say"]

TEXTS: Final[Mapping[str, str]] = {
    "lang": "en",
    "verdict": "Verdict",
    # around every page
    "frame.skip": "Skip to content",
    "frame.pages": "Pages",
    "frame.signed": "{name}",
    "frame.sign_out": "Sign out",
    "frame.theme_auto": "Colours: as the system. Change to light",
    "frame.theme_light": "Colours: light. Change to dark",
    "frame.theme_dark": "Colours: dark. Change to those of the system",
    "frame.degraded": "The newest champion is not served.",
    "frame.model": "Model {version}",
    "frame.policy": "Policy {version}: MQL from score {mql}, SQL from {sql}",
    "frame.zone": "Times in your zone ({zone})",
    "frame.utc": "Times in UTC",
    "frame.open": "No key, no user: open to this machine alone, no sign-in",
    "frame.facts": "These figures as JSON",
    "nav.overview": "Overview",
    "nav.leads": "Leads",
    "nav.thresholds": "Thresholds",
    "nav.model": "Model",
    "nav.versions": "Versions",
    "fault.home": "To the overview",
    "show_numbers": "Show the numbers",
    # model
    "model.title": "Model {version}",
    "model.not_served": "This version is not the one that scores leads now.",
    "model.see_served": "See the champion",
    "model.headline": "Headline figures",
    "model.tally": "{passed} passed · {look} to look at · {failed} failed",
    "model.rivals": "Against simpler ways",
    "model.move_lines": "Move the lines",
    "model.pairs": "Pairs that say more together",
    "model.pairs_sub": "By how much two values together change the odds beyond what each does "
    "alone. Blue raises, orange lowers; grey figures stand for fewer than 1 in 100 leads.",
    "model.pair": "{first} with {second}",
    "model.pair_caption": "Rows are {first}, columns {second}; cells are factors on the odds",
    "model.changed": "What changed since version {before}",
    "model.compare": "Side by side",
    "model.first": "No earlier version to compare with",
    "model.first_body": "Train again when there are newer outcomes: what changed will stand here.",
    "model.run": "For data scientists",
    "model.run_sub": "The training run holds data, parameters, every metric and the report.",
    "model.run_open": "Open the run in MLflow",
    "model.run_command": "Look at the run in MLflow:",
    "model.run_id": "Run",
    "model.all_measures": "Show all measures",
    "model.notes": "Show the notes of the training",
    "model.empty": "not given",
    "model.hint_title": "How to read this page",
    "model.hint": "The verdict first, then whether each check holds, then how good and how "
    "honest the model is, then what it has learned. Every figure of quality is from leads that "
    "the model had not seen. Open “Show the numbers” under a chart for its table.",
    "model.promise_days": "Chance that a lead converts within {days} days, learned from {leads} "
    "leads",
    "model.promise": "Chance that a lead converts, learned from {leads} leads",
    # side by side
    "side.new": "Version {version}",
    "side.trained": "Learned from",
    "side.leads": "{leads} leads, {won} won",
    "side.period": "Arrived",
    "side.base_rate": "Won among them",
    "side.fifth": "Top fifth holds",
    "side.auc": "ROC AUC",
    "side.log_loss": "Log loss",
    "side.ece": "Points off",
    "side.mql": "MQL from a chance of",
    "side.sql": "SQL from a chance of",
    "side.verdict": "Verdict",
    "side.protocol": "Tested by",
    "side.added": "New columns",
    "side.removed": "Columns gone",
    "side.moved": "Effect that moved most",
    "side.moved_by": "{column}: usually by {odds}",
    "side.none": "none",
    "side.effect": "Column",
    "side.weight": "Weight in {version}",
    "side.shift": "Effect moved by",
    "side.effects_caption": "How far each column's effect moved (factor on the odds, as it "
    "usually is over leads), and how much of each model it carries.",
    # versions
    "versions.title": "Versions",
    "versions.lead": "Version {version} scores leads since {since}",
    "versions.lead_none": "No version scores leads yet",
    "versions.count_one": "One version is registered",
    "versions.count": "{n} versions are registered",
    "versions.told": "MLflow was asked",
    "versions.none": "No version yet",
    "versions.none_body": "Train a first model: it is tested, registered here and, if it passes, "
    "scores leads at once.",
    "versions.version": "Version",
    "versions.state": "State",
    "versions.verdict": "Verdict",
    "versions.fifth": "Top fifth holds",
    "versions.auc": "ROC AUC",
    "versions.why": "Who and why",
    "versions.made": "Trained",
    "versions.champion": "champion",
    "versions.challenger": "challenger",
    "versions.before": "champion before",
    "versions.resting": "not in use",
    "versions.damaged": "damaged: {fault}",
    "versions.not_told": "not told",
    "versions.side": "Two versions side by side",
    "versions.new": "This version",
    "versions.old": "against",
    "versions.compare": "Compare",
    "versions.same": "Choose two different versions.",
    "versions.single": "A second version can be compared with this one.",
    "versions.sentence": "Version {new} against version {old}: the top fifth holds {a} instead of "
    "{b} of conversions, each on its own test leads.",
    "versions.sentence_plain": "Version {new} against version {old}.",
    "versions.promote": "Promote a version",
    "versions.promote_sub": "It scores leads a moment later; the one before is kept.",
    "versions.choice": "{version}: {state}",
    "versions.choice_failed": "{version}: {state}, failed the gate",
    "versions.reason": "Why (kept with the version)",
    "versions.reason_like": "Two new signals, better on the last quarter",
    "versions.overrule": "Promote it although it failed the gate",
    "versions.promote_do": "Promote",
    "versions.busy": "Asking MLflow, a few seconds…",
    "versions.no_right": "Promoting needs an administrator. Ask one, or sign in as one.",
    "versions.no_other": "There is no other version to promote. Train one first.",
    "versions.rollback": "Go back",
    "versions.rollback_sub": "Version {version} was champion before.",
    "versions.rollback_like": "Sales reports worse leads since Monday",
    "versions.rollback_do": "Go back to version {version}",
    "versions.hint_title": "What the words mean",
    "versions.hint": "The champion scores every lead. A challenger was trained later and waits "
    "to be promoted. Promoting moves a pointer: no lead is lost, no answer mixes two versions, "
    "and one click leads back.",
    "word.trust": "Trust it",
    "word.rank": "Rank only",
    "word.provisional": "Provisional",
    "word.no": "Do not use",
    # what happened after a button
    "done.promoted": "Version {version} is the champion; it serves within seconds.",
    "done.rolled_back": "Went back to the champion before; it serves within seconds.",
}


def say(key: str, **figures: object) -> str:
    """A text of the catalogue with its figures put in.

    >>> say("nav.leads"), say("frame.model", version=3)
    ('Leads', 'Model 3')
    """
    text = TEXTS[key]
    return text.format(**figures) if figures else text
