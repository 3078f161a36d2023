"""The learning benchmark measures what it says, on the rows it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.learning import curve, replay, results, run
from benchmarks.learning.environments import python_of
from benchmarks.learning.fitting import Fitted, fit
from benchmarks.learning.measuring import TARGETS, Result, figures, mean_of, missed
from benchmarks.learning.protocols import PROTOCOLS, Protocol
from benchmarks.learning.recipes import RECIPES, Task


def leads(n: int = 600) -> tuple[pd.DataFrame, np.ndarray]:
    """Leads whose visits and source tell whether they convert, some cells missing."""
    random = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "visits": random.poisson(3, n).astype(float),
            "source": random.choice(["ad", "web", "event"], n),
            "size": pd.Categorical(random.choice(["1", "2"], n)),
        }
    )
    chance = 1 / (1 + np.exp(2.5 - 0.6 * X["visits"] - (X["source"] == "event")))
    y = (random.random(n) < chance).astype(np.int64)
    X.loc[::17, "source"] = None
    X.loc[::19, "visits"] = np.nan
    return X, y


@pytest.mark.parametrize("recipe", ["leadml", "logistic", "lightgbm", "odoo"])
def test_a_recipe_learns_in_its_own_process(recipe: str) -> None:
    """Each installed recipe ranks held-out leads well and reports the seconds it took."""
    X, y = leads()
    found = fit(recipe, X[:400], y[:400], X[400:])
    assert found.probability.shape == (200,)
    assert ((found.probability >= 0) & (found.probability <= 1)).all()
    assert figures(y[400:], found, 0)["roc_auc"] > 0.65
    assert 0 < found.cpu_s < 60
    assert found.clock_s > 0


def test_a_process_gets_the_same_table() -> None:
    """A fit in a process of its own gives the digits of a fit in this one."""
    X, y = leads()
    apart = fit("leadml", X[:400], y[:400], X[400:])
    here = RECIPES["leadml"].learn(Task(X[:400], y[:400], X[400:]))
    assert apart.probability.tolist() == here.tolist()


def test_a_failing_recipe_says_why() -> None:
    """What the process said last stands in the error."""
    X, _ = leads(50)
    with pytest.raises(RuntimeError, match=r"leadml failed:[\s\S]*nothing to learn"):
        fit("leadml", X, np.ones(50, dtype=np.int64), X)


def test_categories_of_a_task() -> None:
    """Text and pandas categories are categories, numbers are numbers, missing is a level."""
    X, y = leads()
    task = Task(X[:400], y[:400], X[400:])
    assert task.categories == ["source", "size"]
    assert task.numbers == ["visits"]
    texts, _ = task.with_texts()
    assert set(texts["source"]) == {"ad", "web", "event", "(missing)"}
    coded, coded_test = task.with_categories()
    assert coded["source"].isna().sum() == X["source"][:400].isna().sum()
    assert (coded["source"].cat.categories == coded_test["source"].cat.categories).all()


def test_figures_of_known_predictions() -> None:
    """AUC, log loss, calibration error, lift and conversions in the top of a worked example."""
    y = np.array([1, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    p = np.array([0.9, 0.8, 0.7, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    found = figures(y, Fitted(p, 1.0, 2.0), top=3)
    assert found["roc_auc"] == pytest.approx(15 / 16)
    expected = -(np.log(0.9) + np.log(0.7) + np.log(0.2) + 7 * np.log(0.9)) / 10
    assert found["log_loss"] == pytest.approx(expected)
    assert found["lift_top_decile"] == pytest.approx(5.0)
    assert found["in_top"] == 2
    assert found["ece"] == pytest.approx((0.1 + 0.8 + 0.3 + 0.7) / 10)
    assert (found["cpu_s"], found["clock_s"]) == (1.0, 2.0)


def result(recipe: str = "leadml", protocol: str = "coil", **changes: float) -> Result:
    """A result that reaches every target, with changes."""
    good = {
        "roc_auc": 0.95,
        "log_loss": 0.1,
        "ece": 0.01,
        "lift_top_decile": 3.0,
        "cpu_s": 5.0,
        "clock_s": 6.0,
        "in_top": 130.0,
    }
    return mean_of(recipe, protocol, [good | changes], 1, "2026-01-01")


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_targets_are_held_against(protocol: str) -> None:
    """A good result misses nothing; a worse AUC, log loss or slowness is named each."""
    assert set(TARGETS) == set(PROTOCOLS)
    assert missed(result(protocol=protocol)) == []
    said = missed(result(protocol=protocol, roc_auc=0.6, log_loss=0.9, cpu_s=31.0))
    assert [word for word in ("roc_auc", "log_loss", "a fit took") if any(word in s for s in said)]
    assert len(said) == 3
    assert len(missed(result("leadml", "coil", in_top=120.0))) == 1


def test_the_mean_over_splits() -> None:
    """A result of two splits is their mean and knows how many splits there are."""
    one = dict.fromkeys(("roc_auc", "log_loss", "ece", "lift_top_decile", "cpu_s"), 1.0)
    two = dict.fromkeys(one, 2.0)
    found = mean_of("leadml", "olist", [one | {"clock_s": 1.0}, two | {"clock_s": 3.0}], 5)
    assert (found.roc_auc, found.clock_s, found.splits, found.of) == (1.5, 2.0, 2, 5)
    assert found.in_top is None


def test_results_are_kept_and_told(tmp_path: Path) -> None:
    """The newest result of a recipe and protocol replaces the older one, in file and README."""
    file, readme = tmp_path / "results.json", tmp_path / "README.md"
    readme.write_text(f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n", "utf-8")
    results.keep(result(roc_auc=0.7), file)
    results.keep(result("logistic", "olist", roc_auc=0.6), file)
    results.keep(result(roc_auc=0.8), file)
    assert [(one.recipe, one.roc_auc) for one in results.kept(file)] == [
        ("leadml", 0.8),
        ("logistic", 0.6),
    ]
    results.write_table(file, readme)
    told = readme.read_text("utf-8")
    assert told.startswith("before\n")
    assert told.endswith(f"{results.END}\nafter\n")
    assert "old" not in told
    assert "| leadml.LeadScorer | 0.8000 / 0.1000, 130 buyers | – |" in told
    results.write_table(file, readme)
    assert readme.read_text("utf-8") == told


def test_the_readme_holds_what_was_kept() -> None:
    """The tables of benchmarks/README.md are those of the results under version control."""
    text = results.README.read_text("utf-8")
    assert results.table(results.kept()) in text


def test_the_command_line_refuses_what_it_does_not_know(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An unknown recipe or protocol ends with the names there are."""
    for arguments in (["--only", "magic"], ["--protocols", "moon"]):
        with pytest.raises(SystemExit) as ended:
            run.main(arguments)
        assert ended.value.code == 2
        assert "choose from" in capsys.readouterr().err


def test_a_recipe_without_its_library_says_what_to_do() -> None:
    """AutoGluon's environment is only made when asked for."""
    folder = Path(run.__file__).parents[1] / ".venv-autogluon"
    if folder.exists():
        assert python_of(RECIPES["autogluon"]).startswith(str(folder))
    else:
        with pytest.raises(RuntimeError, match="--install"):
            python_of(RECIPES["autogluon"])


def test_a_run_prints_a_line_per_recipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recipes over a protocol print title and figures; a missed target ends with 1."""
    X, y = leads()
    rows = np.arange(600)
    tiny = Protocol("olist", "tiny", X, y, ((rows[:400], rows[400:]),))
    monkeypatch.setitem(PROTOCOLS, "olist", lambda: tiny)
    code = run.main(["--only", "leadml,odoo", "--protocols", "olist"])
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines] == ["protocol", "olist", "olist"]
    assert "leadml.LeadScorer" in lines[1]
    assert "Odoo's naive Bayes" in lines[2]
    assert code == (1 if "wanted" in said.err else 0)


def test_samples_of_the_learning_curve() -> None:
    """A sample holds the wanted conversions at the base rate, in order, another per seed."""
    y = np.repeat([0, 1], [900, 100])
    rows = curve.sample(y, 10, 0)
    assert y[rows].sum() == 10
    assert len(rows) == 100
    assert (np.diff(rows) > 0).all()
    assert curve.sample(y, 10, 1).tolist() != rows.tolist()


def test_a_point_of_the_learning_curve() -> None:
    """Below 15 conversions every lead gets the base rate and the verdict says provisional."""
    X, y = leads()
    rows = np.arange(600)
    protocol = Protocol("tiny", "tiny", X, y, ((rows[:400], rows[400:]),))
    found = curve.point(protocol, 10, 2)
    assert found.roc_auc == 0.5
    assert found.verdicts == {"provisional": 2}
    better = curve.point(protocol, 60, 2)
    assert better.roc_auc > 0.6
    assert better.log_loss < better.base_rate_log_loss


def test_a_replay_knows_only_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outcomes of a block and after it change no prediction of that block."""
    monkeypatch.setattr(replay, "BLOCK", 40)
    monkeypatch.setattr(replay, "HELD_OUT", 60)
    X, y = leads()
    quiet = [lambda block: None]
    for name in ("static", "intercept", "refreshed"):
        policy = replay.POLICIES[name][1]
        asked, _ = policy(X, y, quiet[0])
        assert len(asked) == 120
        turned = y.copy()
        turned[520:] = 1 - turned[520:]
        other, _ = policy(X, turned, quiet[0])
        assert asked[:80].tolist() == other[:80].tolist(), name
        if name != "static":
            assert asked[80:].tolist() != other[80:].tolist(), name


def test_a_moved_intercept_helps_where_the_rate_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where many more leads convert than before, moving the intercept lowers the log loss."""
    monkeypatch.setattr(replay, "BLOCK", 60)
    X, y = leads(1_500)
    late = np.random.default_rng(1).random(300) < 0.6
    y[1_200:] = np.maximum(y[1_200:], late)
    static, moved = (replay.replay(name, X, y) for name in ("static", "intercept"))
    assert moved.log_loss < static.log_loss
    assert moved.ece < static.ece
    assert (static.fits, moved.fits) == (1, 1)


@pytest.mark.parametrize(
    ("name", "columns", "sizes", "rate"),
    [
        ("bank-folds", 18, (32_950, 8_238), 0.1127),
        ("bank-forward", 18, (32_950, 8_238), 0.1127),
        ("xeducation-folds", 25, (7_392, 1_848), 0.3854),
        ("xeducation-forward", 25, (7_392, 1_848), 0.3854),
        ("coil", 85, (5_822, 4_000), 0.0597),
        ("olist", 4, (2_242, 1_303), 0.0805),
    ],
)
def test_the_protocols_are_as_written(
    name: str,
    columns: int,
    sizes: tuple[int, int],
    rate: float,
    mirror: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Columns, rows and base rate of each protocol; no row is both learned from and tested on."""
    monkeypatch.setenv("LEADML_DATA_MIRROR", str(mirror))
    monkeypatch.setattr("benchmarks.learning.protocols.DATA", tmp_path)
    protocol = PROTOCOLS[name]()
    assert protocol.X.shape[1] == columns
    assert protocol.y.mean() == pytest.approx(rate, abs=5e-5)
    train, test = protocol.splits[0]
    assert (len(train), len(test)) == sizes
    for train, test in protocol.splits:
        assert not set(train) & set(test)
    if name.endswith("forward"):
        assert train.max() < test.min()
    if name.endswith("folds"):
        tested = np.sort(np.concatenate([test for _, test in protocol.splits]))
        assert tested.tolist() == list(range(len(protocol.y)))
    assert not {"duration", "campaign", "Tags", "Lead Quality", "Lead Number"} & set(protocol.X)
    if name == "coil":
        assert [column for column in protocol.X if protocol.X[column].dtype == "category"] == [
            "c00",
            "c04",
        ]
