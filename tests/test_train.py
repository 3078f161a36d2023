"""One training from table to tested, proven, calibrated scorecard."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from learned import table

from leadml.errors import ColumnMissing, ConfigError, InvalidValue, TableEmpty
from leadml.leads import Availability, Kind, Role
from leadml.registry.layout import canonical
from leadml.scorecard import Scorer
from leadml.training.config import ColumnPlan, TrainConfig
from leadml.training.rivals import Rival, answers_of_rival
from leadml.training.selecting import select_columns
from leadml.training.train import Given, train


def history(n=2400, seed=4, months=12):
    """The usual table, with ids and times, as a CRM exports it."""
    frame, y = table(n, seed)
    created = pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(
        np.linspace(0, months * 30, n), unit="D"
    )
    random = np.random.default_rng(seed)
    won_at = created + pd.to_timedelta(random.uniform(1, 50, n), unit="D")
    until = created[-1]
    seen = (y > 0) & (won_at <= until)
    return frame.assign(
        lead_id=[f"L{k:05d}" for k in range(n)],
        created=created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        won=np.where(seen, "yes", "no"),
        won_at=np.where(seen, won_at.strftime("%Y-%m-%dT%H:%M:%SZ"), ""),
    )


CONFIG = TrainConfig(
    target="won",
    id="lead_id",
    created_at="created",
    outcome_at="won_at",
    horizon_days=60,
    folds=3,
    columns={"visits": ColumnPlan(role=Role.ENGAGEMENT)},
)


@pytest.fixture(scope="module")
def result():
    """A training with times, a horizon and an engagement column."""
    return train(history(), CONFIG)


def test_the_facts_tell_the_whole_training(result):
    """Protocol, metrics, baselines, gate, checks, proof and effects stand in the facts."""
    facts = result.facts
    assert facts["protocol"]["kind"] == "forward"
    assert facts["metrics"]["roc_auc"]["value"] > 0.65
    assert facts["baselines"][0]["name"] == "base rate"
    assert facts["proof"]["max_difference"] < 1e-9
    assert facts["gate"]["lines"]
    assert {finding["code"] for finding in facts["checks"]} >= {"LML001", "LML020"}
    assert facts["data"]["order"] == "time"
    assert facts["labels"]["horizon_days"] == 60


def test_immature_leads_are_left_out_and_counted(result):
    """A lead younger than the horizon is neither learned from nor tested on."""
    frame = history()
    created = pd.to_datetime(frame.created)
    latest = max(created.max(), pd.to_datetime(frame.won_at).max())
    young = int((latest - created < pd.Timedelta(days=60)).sum())
    assert result.facts["labels"]["n_immature"] == young > 0
    assert result.facts["data"]["n_leads"] == len(frame) - young
    assert any("never as lost" in note for note in result.facts["notes"])


def test_no_column_that_tells_the_outcome_is_learned_from(result):
    """Ids, outcome and its time are set aside with their reasons."""
    names = set(result.scorecard.schema.sources)
    assert names == {"visits", "employees", "source", "city", "created"}
    reasons = {one["column"]: one["reason"] for one in result.facts["data"]["dropped"]}
    assert reasons["won_at"] == "the time of the outcome"
    assert reasons["lead_id"] == "the id"


def test_fit_and_engagement_have_scores_of_their_own(result):
    """The part scores are percentiles of their summed log-odds."""
    batch = Scorer(result.scorecard).frame(history())
    assert np.ptp(batch.engagement_score) > 50
    assert np.ptp(batch.fit_score) > 50


def test_the_same_table_and_seed_give_the_same_scorecard_and_policy(result):
    """Nothing in a training depends on the clock or on threads."""
    again = train(history(), CONFIG, jobs=1)
    assert again.scorecard.as_dict() == result.scorecard.as_dict()
    assert again.policy == result.policy
    assert again.facts["metrics"] == result.facts["metrics"]


def test_without_an_order_the_folds_are_said_aloud():
    """The protocol's name and a note say that no order in time was known."""
    frame, y = table(500)
    found = train(frame.assign(won=y.astype(int)), TrainConfig(target="won", folds=3))
    assert found.facts["protocol"]["kind"] == "folds"
    assert "no order in time is known" in found.facts["protocol"]["name"]
    assert any("random folds" in note for note in found.facts["notes"])
    assert not found.facts["data"]["leads_per_week_known"]


def test_a_column_of_the_order_keeps_its_name():
    """Where a column tells the order it is named; the order of the file is called that."""
    frame, y = table(500)
    frame = frame.assign(won=y.astype(int), row=range(500))
    config = TrainConfig(target="won", folds=3, order_by="row")
    for order_by, told in (
        ("row", {"order": "column", "order_by": "row"}),
        ("rows", {"order": "rows"}),
    ):
        data = train(frame, replace(config, order_by=order_by)).facts["data"]
        assert {key: data[key] for key in ("order", "order_by") if key in data} == told


def test_a_column_that_moved_while_the_newest_fifth_is_unripe_is_told():
    """Facts of such a training can be kept, for they hold no figure of nothing."""
    frame = history()
    newest = np.arange(len(frame)) >= 0.8 * len(frame)
    new = np.random.default_rng(1).random(len(frame)) < np.where(newest, 0.4, 0.05)
    frame = frame.assign(campaign=np.where(new, "new", "old"))
    found = train(frame, replace(CONFIG, horizon_days=100))
    [moved] = [one for one in found.facts["checks"] if one["code"] == "LML019"]
    assert "campaign" in moved["columns"]
    assert canonical(found.facts)


def test_reasons_of_what_is_left_out_claim_nothing_of_people():
    """A configuration may hold guesses: the reason names it, or what it says of a column."""
    frame = pd.DataFrame({name: [1.0, 2.0, 3.0] for name in ("a", "b", "c", "d")})
    columns = {
        "b": ColumnPlan(availability=Availability.AFTER),
        "c": ColumnPlan(role=Role.CONSENT),
    }
    config = TrainConfig(target="won", drop=("a",), columns=columns)
    reasons = dict(select_columns(frame, config, np.full(3, True)).dropped)
    assert reasons == {
        "a": "left out by the configuration",
        "b": "known only after the outcome, as the configuration says",
        "c": "a column of the role consent, as the configuration says",
    }


def test_a_table_of_its_own_is_tested_on():
    """With a held-out table its rows alone give the figures."""
    frame, y = table(600)
    later, y_later = table(400, seed=8)
    found = train(
        frame.assign(won=y.astype(int)),
        TrainConfig(target="won", folds=3),
        test_frame=later.assign(won=y_later.astype(int)),
    )
    assert found.facts["protocol"]["kind"] == "held_out"
    assert found.facts["metrics"]["n"]["value"] == 400


def test_text_in_a_column_planned_as_number_names_its_rows():
    """The column, the rows (from 1) and the fix are said; nothing is learned."""
    frame, y = table(300)
    frame = frame.assign(won=y.astype(int), visits=frame.visits.astype(object))
    frame.loc[[4, 9], "visits"] = "several"
    config = TrainConfig(target="won", columns={"visits": ColumnPlan(kind=Kind.NUMBER)})
    with pytest.raises(InvalidValue) as caught:
        train(frame, config)
    assert caught.value.column == "visits"
    assert caught.value.rows == (5, 10)


def test_dropping_what_does_not_exist_is_refused_with_the_nearest_name():
    """A typo in --drop does not pass silently."""
    frame, y = table(300)
    with pytest.raises(ColumnMissing, match="Visits") as caught:
        train(frame.assign(won=y.astype(int)), TrainConfig(target="won", drop=("Visits",)))
    assert caught.value.fix == "did you mean 'visits'?"


def test_a_table_without_columns_to_learn_from_is_refused():
    """An id and an outcome alone teach nothing."""
    frame = pd.DataFrame({"id": [f"x{k}" for k in range(200)], "won": [0, 1] * 100})
    with pytest.raises(TableEmpty, match="no column is left"):
        train(frame, TrainConfig(target="won"))


def test_a_champion_is_never_asked_about_leads_it_learned_from(result):
    """Newer leads go to the served champion; otherwise its recipe is learned again."""
    frame = history()
    y = (frame.won == "yes").to_numpy(float)
    times = pd.to_datetime(frame.created).astype("int64").to_numpy() / 1e6
    own = np.full(len(y), 0.2)
    rival = Rival("leads@1", result.scorecard, CONFIG.as_dict(), float(times[1500]))
    fresh = answers_of_rival(rival, CONFIG, frame, y, times, own, lambda recipe: own)
    assert (times[fresh.places] > times[1500]).all()
    assert "as served" in fresh.how
    seen = Rival("leads@1", result.scorecard, CONFIG.as_dict(), float(times[-1]))
    same = answers_of_rival(seen, CONFIG, frame, y, times, own, lambda recipe: own)
    assert "same recipe" in same.how
    narrower = CONFIG.with_options(drop=["city"])
    asked = []
    again = answers_of_rival(
        seen, narrower, frame, y, times, own, lambda recipe: asked.append(recipe) or own
    )
    assert "learned again" in again.how
    assert asked[0].drop == ()


def test_edits_by_hand_are_applied_in_the_test_and_in_the_end(result):
    """A flattened column moves no lead, the test measures that, and the notes say why."""
    config = replace(
        CONFIG, edits={"visits": "flatten"}, edits_why="bots visited in May (by Ada)", folds=3
    )
    found = train(history(), config)
    at = found.scorecard.schema.names.index("visits")
    assert np.ptp(Scorer(found.scorecard).frame(history()).contributions[:, at]) == 0
    measured = found.facts["metrics"]["roc_auc"]["value"]
    assert measured < result.facts["metrics"]["roc_auc"]["value"] - 0.02
    assert found.facts["edits"][0]["column"] == "visits"
    (note,) = [note for note in found.facts["notes"] if "by hand" in note]
    assert "bots visited in May (by Ada)" in note


def test_a_version_is_edited_without_learning_it_anew(result):
    """All tables but the edited one stay to the bit; the base answers for the mean chance."""
    given = Given("leads@1", result.scorecard, result.facts)
    config = replace(CONFIG, edits={"employees": "cap -0.2 0.2"}, edits_why="agreed with sales")
    rival = Rival("leads@1", result.scorecard, CONFIG.as_dict())
    found = train(history(), config, given=given, champion=rival)
    names = result.scorecard.schema.names
    for name, before, after in zip(
        names, result.scorecard.columns, found.scorecard.columns, strict=True
    ):
        assert (before.as_dict() == after.as_dict()) == (name != "employees"), name
    batch = Scorer(found.scorecard).frame(history())
    assert np.abs(batch.contributions[:, names.index("employees")]).max() <= 0.2 + 1e-9
    assert batch.probability.mean() == pytest.approx(result.facts["data"]["base_rate"], abs=0.02)
    line = found.facts["gate"]["lines"][-1]
    assert line["name"] == "champion"
    assert "learned again" in line["sentence"]
    assert found.facts["recipe"]["edited_from"] == "leads@1"
    assert any("no tested lead had been seen" in note for note in found.facts["notes"])
    unedited = {m: result.facts["metrics"][m]["value"] for m in ("roc_auc", "log_loss")}
    assert {m: found.facts["metrics"][m]["value"] for m in unedited} != unedited


def test_editing_needs_the_columns_of_the_version(result):
    """A history without one of them is refused by name."""
    given = Given("leads@1", result.scorecard, result.facts)
    with pytest.raises(ColumnMissing, match="lacks columns of leads@1: employees"):
        train(
            history().drop(columns="employees"),
            replace(CONFIG, edits={"visits": "flatten"}),
            given=given,
        )


def test_the_margin_of_the_gate_can_be_set():
    """With none, a model that is no better than another is held back; with much, let through."""
    frame, y = table(500)
    frame = frame.assign(won=y.astype(int))
    rival = Rival("leads@1", train(frame, TrainConfig(target="won", folds=3)).scorecard, {})
    config = TrainConfig(target="won", folds=3, drop=("city",))
    asked = replace(rival, config=TrainConfig(target="won").as_dict())
    lines = {
        margin: train(frame, config, champion=asked, margin=margin).facts["gate"]["lines"][-1]
        for margin in (0.0, 0.5)
    }
    assert lines[0.5]["status"] == "passed"
    assert lines[0.0]["status"] == "failed"
    assert "allowed +0.0000" in lines[0.0]["sentence"]


@pytest.mark.parametrize("plan", [{"value": 10.0}, {"mql_precision": 1.0}])
def test_thresholds_that_cannot_be_chosen_are_refused_before_learning(plan):
    """Nobody waits for a training that could not set its thresholds."""
    steps: list[str] = []
    with pytest.raises(ConfigError):
        train(
            history(),
            replace(CONFIG, thresholds=plan),
            progress=lambda step, done, total: steps.append(step),
        )
    assert steps == []


def test_what_few_leads_have_is_named_nowhere():
    """A level of one to four leads stands neither in the model nor in its facts nor in its rows."""
    frame = history(1200)
    firms = np.array([f"firm {k % 12:02d}" for k in range(len(frame))], dtype=object)
    firms[:40] = [f"ada{k // 2}@rare.example" for k in range(40)]
    result = train(frame.assign(firm=firms), CONFIG)
    schema = result.scorecard.schema
    column = next(column for column in schema.columns if column.name == "firm")
    assert set(column.levels) == {f"firm {k:02d}" for k in range(12)}
    left = repr((result.facts, [c.as_dict() for c in schema.columns], result.leads))
    assert "firm 03" in left
    assert "rare.example" not in left
    effect = next(effect for effect in result.facts["effects"] if effect["column"] == "firm")
    assert effect["points"][-1]["level"] == "rare values"
    assert effect["points"][-1]["share"] == pytest.approx(40 / result.facts["data"]["n_leads"])
    scorer = Scorer(result.scorecard)
    rare, new = (scorer.one({"firm": firm}) for firm in ("ada1@rare.example", "firm 99"))
    assert rare.log_odds == new.log_odds
    assert [w.code for w in rare.warnings if w.field == "firm"] == ["unseen_category"]
    asked = train(frame.assign(firm=firms), replace(CONFIG, rare_below=2))
    assert "ada1@rare.example" in repr(asked.scorecard.schema)
