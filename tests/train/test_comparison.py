"""Comparisons: the ladder, amounts of data, regularisers, searches, and what is said of them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.data import Dataset, Normalizer, Splits, load
from chainrule.errors import DataError, UnknownNameError
from chainrule.train import Predictor, Trainer, assembly
from chainrule.train.comparison import figures
from chainrule.train.comparison.fitting import LeftOut, Missing
from chainrule.train.comparison.folder import Folder
from chainrule.train.comparison.ladder import Ladder, most_wrong
from chainrule.train.comparison.problem import Problem
from chainrule.train.comparison.regularisers import by_regulariser, effects
from chainrule.train.comparison.rungs import ladder
from chainrule.train.comparison.searches import SEARCHES, Clock, Searches, numerical, run
from chainrule.train.comparison.trials import Outcome, Trial, Trials, ahead, by_fraction, subset
from chainrule.train.comparison.verdict import Result, advice, differ, interval
from chainrule.train.run import Stopped
from chainrule.train.settings import Settings


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train without compiling: the same results, and no code to make for a few iterations."""
    monkeypatch.setattr(assembly, "Trainer", partial(Trainer, compile=False))


def moons(samples: int = 200) -> Splits:
    return load("moons", samples=samples, validation=0.0)


def photos(count: int = 40) -> Splits:
    rng = np.random.default_rng(0)

    def part(count: int) -> Dataset:
        y = np.arange(count) % 2
        x = rng.integers(0, 60, (count, 3, 8, 8)) + 150 * y[:, None, None, None]
        return Dataset(x.astype(np.uint8), y, ("dark", "light"))

    return Splits(part(count), None, part(12), "photos")


def result(title: str, right: list[bool], seconds: float) -> Result:
    return Result(title, title, np.array(right), 1.0, 10, 3, 3, seconds, 1e-6, np.eye(2, dtype=np.int64))


# ---- what is said -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("right", "samples", "low", "high"),
    [(90, 100, 0.8256, 0.9448), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (8413, 10_000, 0.8340, 0.8483)],
)
def test_intervals_are_wilsons(right: int, samples: int, low: float, high: float) -> None:
    assert interval(right, samples) == pytest.approx((low, high), abs=5e-5)


def test_models_differ_where_they_disagree_one_way() -> None:
    base = np.arange(1000) < 900
    shifted = np.roll(base, 5)  # as good, wrong elsewhere
    worse = base & (np.arange(1000) >= 8)  # 0.8 points: within either interval
    assert not differ(base, shifted) and differ(base, worse) and not differ(base, base)


def test_the_quickest_of_the_equally_good_is_advised() -> None:
    good, nearly = [True] * 95 + [False] * 5, [False] + [True] * 94 + [False] * 5
    bad = [True] * 60 + [False] * 40
    said = advice([result("slow", good, 60.0), result("quick", nearly, 1.0), result("bad", bad, 0.1)], 500)
    assert said.startswith("With 500 training samples use quick: 94.0% right") and "60 times quicker" in said
    alone = advice([result("slow", good, 60.0), result("bad", bad, 0.1)], 500)
    assert (
        "use slow" in alone
        and "35.0 points above bad" in alone
        and alone.endswith("which is more than chance.")
    )
    assert advice([], 5).startswith("Nothing was trained")


def test_the_surest_wrong_answers_come_first() -> None:
    scores = np.array([[1.0, 2.0], [5.0, 1.0], [0.0, 3.0], [2.0, 1.0]])
    assert most_wrong(scores, np.array([0, 1, 0, 0])) == ((1, 0), (2, 1), (0, 1))


# ---- the rungs --------------------------------------------------------------------------------------
def test_tables_have_neither_features_nor_conv_nets() -> None:
    assert [each.name for each in ladder(moons())] == [
        "centroid", "random-search", "linear-hinge", "linear", "mlp", "mlp3",
    ]  # fmt: skip
    names = [each.name for each in ladder(photos())]
    assert names[0] == "centroid" and names[-3:] == ["features-linear", "features-mlp", "cnn"]
    assert [each.name for each in ladder(photos(), ["resnet20", "linear"])] == ["linear", "resnet20"]
    with pytest.raises(UnknownNameError, match="no rung 'cnn' for moons"):
        ladder(moons(), ["cnn"])


def test_a_regression_is_refused() -> None:
    x = np.ones((4, 2), np.float32)
    with pytest.raises(DataError, match="is a regression"):
        ladder(Splits(Dataset(x, np.array([0.5, 1.0, 2.0, 3.0])), None, None, "prices"))


def test_choices_go_where_they_belong() -> None:
    chosen = {"dropout": 0.3, "pooling": "mean", "penalty": "l2:0.1", "features": ("hue",)}
    made = {each.name: each.settings(photos(), chosen) for each in ladder(photos())}
    assert made["cnn"].pooling == "mean" and made["cnn"].dropout == 0.3 and made["cnn"].features == ()
    assert (
        made["linear"].dropout == 0 and made["linear"].penalty == "l2:0.1" and made["linear"].pooling == "max"
    )
    assert made["features-linear"].features == ("hue",) and made["centroid"].penalty == ""


# ---- the ladder climbed -----------------------------------------------------------------------------
NAMES = ("centroid", "random-search", "linear")


def climbed(seconds: float = 60.0, **chosen: Any) -> Ladder:
    splits = moons()
    return Ladder(splits, ladder(splits, NAMES), {"epochs": 3, **chosen}, seconds)


def test_every_rung_is_tested_and_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    made = climbed()
    list(made.run())
    assert [each.name for each in made.results] == list(NAMES) and not made.missing
    linear = made.results[-1]
    assert linear.epochs == linear.wanted == 3 and linear.parameters == 6 and linear.seconds > 0
    assert linear.confusion.sum() == len(made.test) == len(linear.right)
    Folder(tmp_path, "moons").ladder(made)
    written = json.loads((tmp_path / "result.json").read_text())
    assert [each["name"] for each in written["results"]] == list(NAMES)
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64") == 1 + len(NAMES) and 'src="http' not in page
    again = Predictor.open(tmp_path / "models" / "linear.safetensors").evaluate(made.test)
    assert again.accuracy == linear.accuracy


def test_what_does_not_fit_is_left_out() -> None:
    made = climbed(seconds=1e-6)
    told = list(made.run())
    assert [each.name for each in made.results] == ["centroid"]
    assert [each.title for each in made.missing] == ["random search", "linear, softmax"]
    assert "not one epoch fits" in made.missing[1].reason and made.missing[1] in told


def test_a_rung_that_fails_does_not_end_the_ladder() -> None:
    made = climbed(rate=1e30, optimizer="sgd")
    list(made.run())
    assert made.missing[0].title == "linear, softmax" and "loss is" in made.missing[0].reason


def test_a_wrong_choice_is_told_before_anything_is_trained() -> None:
    with pytest.raises(UnknownNameError, match="optimizer"):
        climbed(optimizer="adan")


def test_what_is_done_stays_when_the_ladder_is_stopped() -> None:
    made = climbed()
    with pytest.raises(Stopped):
        for each in made.run():
            if isinstance(each, Result) and each.name == "random-search":
                made.signal = 2
    assert [each.name for each in made.results] == ["centroid", "random-search"]


# ---- several seeds ----------------------------------------------------------------------------------
def test_subsets_differ_by_seed_and_keep_the_shares_of_the_classes() -> None:
    splits = photos()
    first, again, other = (subset(splits, 0.5, seed).train for seed in (0, 0, 1))
    assert len(first) == 20 and np.bincount(first.y).tolist() == [10, 10]
    assert (first.x == again.x).all() and not (first.x == other.x).all()


def test_fewer_samples_are_walked_through_more_often() -> None:
    tried = by_fraction(photos(), (1.0, 0.25), {})
    assert [each.fraction for each in tried] == [0.25, 0.25, 1.0, 1.0]
    assert tried[0].settings.epochs == 2 * tried[2].settings.epochs
    assert [each.settings.epochs for each in by_fraction(photos(), (1.0, 0.25), {"epochs": 5})] == [5] * 4


def test_trials_have_a_value_for_each_seed() -> None:
    settings = Settings("moons", hidden=(8,), epochs=2)
    tried = Trials(moons(), [Trial("net", 0.5, settings)], seeds=3, seconds=60)
    list(tried.run())
    (outcome,) = tried.outcomes
    assert len(outcome.test) == len(outcome.train) == 3 and len(set(outcome.train)) > 1
    assert outcome.samples == 80 and outcome.epochs == 2


def test_equal_trials_make_the_same_epochs() -> None:
    settings = Settings("moons", hidden=(8,), epochs=400)
    listed = [Trial("small", 1.0, settings, 0.01), Trial("large", 1.0, replace(settings, hidden=(512, 512)))]
    tried = Trials(moons(), listed, seeds=1, seconds=4.0, equal=True)
    list(tried.run())
    small, large = tried.outcomes
    assert 0 < small.epochs == large.epochs < 400
    with pytest.raises(LeftOut, match="not one epoch of each"):
        list(Trials(moons(), listed, seeds=1, seconds=1e-6, equal=True).run())


def outcome(title: str, fraction: float, test: list[float], against: str = "") -> Outcome:
    trial = Trial(title, fraction, Settings("made"), against=against)
    return Outcome(trial, int(1000 * fraction), 1, 1.0, [1.0] * len(test), test)


def test_who_is_ahead_with_how_much() -> None:
    found = [outcome("features", 0.1, [0.5, 0.6]), outcome("conv net", 0.1, [0.4, 0.45])]
    found += [outcome("features", 1.0, [0.6]), outcome("conv net", 1.0, [0.8])]
    assert ahead(found).endswith("features with 100, conv net with 1,000 training samples.")
    found += [outcome("features", 0.5, [0.6, 0.7, 0.6]), outcome("conv net", 0.5, [0.7, 0.6, 0.65])]
    assert "features with 100, nobody by more than chance with 500, conv net with 1,000" in ahead(found)
    if pytest.importorskip("matplotlib"):
        assert figures.against_samples(found).startswith(b"\x89PNG")


def test_every_regulariser_is_compared_with_the_net_that_it_changes() -> None:
    tried = {each.title: each for each in by_regulariser(photos(), 1.0, {})}
    plain = tried["conv net"].settings
    for title in ("L1", "L2", "elastic net", "dropout", "batch norm", "fractional max pooling"):
        own = tried[title].settings.as_dict()
        changed = {name for name, value in plain.as_dict().items() if own[name] != value}
        assert tried[title].against == "conv net" and len(changed) == 1, title
    assert tried["stochastic depth"].against == "residual net"
    assert "dropout" in {each.title for each in by_regulariser(moons(), 0.5, {})}


def test_the_effect_of_regularisers_is_told() -> None:
    found = [outcome("plain", 1.0, [0.5, 0.5]), outcome("L2", 1.0, [0.6, 0.6], "plain")]
    assert "L2 changes the gap between training and test most, by -10.0 points" in effects(found)
    assert effects(found[:1]).startswith("Too little")


# ---- searches ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def problem_data() -> tuple[Splits, Normalizer]:
    splits = load("blobs", samples=300, validation=0.0)
    return splits, Normalizer().fit(splits.train.x)


@pytest.mark.parametrize("title", list(SEARCHES))
def test_every_search_lowers_the_loss(title: str, problem_data: tuple[Splits, Normalizer]) -> None:
    splits, scale = problem_data
    curve = run(title, Problem(splits.train, scale), splits.test, 30.0)
    assert curve.losses[-1] < curve.losses[0] and curve.steps > 1
    assert curve.accuracy > 0.6 and sorted(curve.seconds) == curve.seconds and curve.epochs[-1] > 0


def test_the_two_gradients_agree(problem_data: tuple[Splits, Normalizer]) -> None:
    splits, scale = problem_data
    ends = []
    for steps in (numerical, SEARCHES["analytic gradient"]):
        problem = Problem(splits.train, scale)
        search = steps(problem, Clock(60.0))
        for _ in range(3):
            next(search)
        ends.append(problem.model.weight.data.copy())
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-4)
    assert np.abs(ends[0]).max() > 0.01


def test_a_step_that_takes_too_long_is_no_step(problem_data: tuple[Splits, Normalizer]) -> None:
    splits, scale = problem_data
    problem = Problem(splits.train, scale)
    assert run("numerical gradient", problem, splits.test, 0.0).steps == 0
    assert not problem.model.weight.data.any()


def test_searches_share_their_time(tmp_path: Path, problem_data: tuple[Splits, Normalizer]) -> None:
    searches = Searches(problem_data[0], seconds=1e-9)
    told = list(searches.run())
    assert [each.title for each in searches.missing] == list(SEARCHES) and not searches.curves
    assert sum(isinstance(each, Missing) for each in told) == len(SEARCHES)
    Folder(tmp_path, "blobs").searches([], searches.missing)
    assert "Left out: Adam" in (tmp_path / "report.html").read_text()
