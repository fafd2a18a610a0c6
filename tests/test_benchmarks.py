"""The benchmarks measure what they say: statements, counts of flops, agreement, processes, pages."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from benchmarks import convs, eager, mlps, page, peers, table, timing, training
from benchmarks.crew import ContenderError, Crew
from benchmarks.mlps import mlp
from benchmarks.nets import Linear, MeanPool, Net, Training
from benchmarks.peers import numpy as by_hand
from benchmarks.peers import ours
from benchmarks.peers.modules import build
from benchmarks.timing import Options, Row, Sample

EVERY = (*mlps.TRAININGS, *convs.TRAININGS)


def test_flops_of_a_perceptron():
    layers = Training(mlp(3, 5, 2), batch=7, iterations=1, rate=0.1)
    assert layers.flops == 7 * 2 * (3 * 5 * 2 + 5 * 2 * 3)  # no gradient of the input of the net


def test_flops_of_published_nets():
    # LeCun et al. 1998 with padded 28 x 28 images; He et al. 2015 count 41 million for ResNet-20.
    lenet = 25 * (6 * 28 * 28 + 16 * 6 * 10 * 10) + 400 * 120 + 120 * 84 + 84 * 10
    assert sum(convs.LENET5.flops) == 2 * lenet
    assert sum(convs.resnet(20).flops) / 2 == pytest.approx(41e6, rel=0.01)


@pytest.mark.parametrize("statement", EVERY, ids=lambda each: each.name)
def test_statements_are_whole(statement):
    small = statement.smaller()
    x, y = small.data()
    assert len(x) == len(y) == small.batch * 10
    model = build(statement.net, ours.nn, ours._assign)
    assert model(x[:2]).shape == (2, statement.net.classes)


def test_names_tell_rows_apart():
    assert len({each.name for each in EVERY}) == len(EVERY)


CHECKED = [
    Training(mlp(5, 8, 4, 3), 6, 10, rate=0.1),
    Training(mlp(5, 8, 2, activation="tanh"), 6, 10, rate=0.1, loss="mean_squared"),
    Training(mlp(5, 8, 2, activation="sigmoid", bias=False), 6, 10, rate=0.01, loss="sum_squared"),
]


@pytest.mark.parametrize("statement", CHECKED, ids=lambda each: each.loss)
def test_numpy_by_hand_agrees_with_ours(statement):
    found = {name: losses(module, statement) for name, module in (("chainrule", ours), ("numpy", by_hand))}
    training.agree(found)


def losses(module, statement, epoch=True):
    trainer = module.Trainer(statement, "compiled", 1)
    found = [trainer.step(place) for place in range(10)]
    return [*found, trainer.epoch(10, shuffle=False)] if epoch else found


RESIDUAL = Net(
    "residual", (3, 8, 8), (*convs.resnet(20).layers[:3], convs.block(16, 32), MeanPool(), Linear(32, 10))
)


@pytest.mark.slow
@pytest.mark.torch
def test_torch_and_jax_agree_with_ours():
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    statement = Training(RESIDUAL, 8, 10, rate=1e-4, momentum=0.9, weight_decay=1e-4)
    modules = {"chainrule": ours, "torch": peers.load("torch"), "jax": peers.load("jax")}
    training.agree({name: losses(module, statement, epoch=False) for name, module in modules.items()})


def test_disagreement_is_told():
    with pytest.raises(AssertionError, match=r"losses of numpy differ by 2\.0e-05"):
        training.agree({"chainrule": [1.0, 2.0], "numpy": [1.0, 2.00004]})
    with pytest.raises(AssertionError, match="losses of numpy differ"):
        training.agree({"chainrule": [1.0, 2.0], "numpy": [1.0, math.nan]})
    training.agree({"chainrule": [1.0, 2.0], "numpy": [1.0, 2.00001]})


def test_dropout_drops_in_timing_only():
    dropping = mlps.TRAININGS[2]
    assert dropping != dropping.without_dropout() and dropping.flops == dropping.without_dropout().flops
    trainer = by_hand.Trainer(dropping, "", 1)
    assert trainer.step() != by_hand.Trainer(dropping.without_dropout(), "", 1).step()


def test_rows_are_measured_in_processes_of_their_own():
    options = Options(smoke=True, row="step 2-8-2", peer="numpy")
    (row,) = mlps.rows(options)
    assert set(row.figures) == {"chainrule", "numpy"}
    assert not row.failure and row.best == "numpy" and row.peak > 0
    assert all(len(sample.values) == 1 and sample.median > 0 for sample in row.figures.values())


def test_a_contender_that_cannot_is_told():
    with Crew(["numpy"], 1) as crew:
        with pytest.raises(ContenderError, match=r"(?s)numpy: .*KeyError: 'no such row'"):
            crew.ask(["numpy"], "train", row="no such row", smoke=True, plain=True)
        crew.ask(["numpy"], "train", row="2-8-2, batch 10", smoke=True, plain=True)


def test_every_library_is_told_its_threads():
    found = peers.environment(3)
    assert {found[f"{name}_NUM_THREADS"] for name in ("OMP", "MKL", "OPENBLAS", "CHAINRULE")} == {"3"}
    assert found["NPROC"] == "3" and "multi_thread_eigen=true" in found["XLA_FLAGS"]
    assert "multi_thread_eigen=false" in peers.environment(1)["XLA_FLAGS"]


def test_the_loop_of_the_peak_is_nothing_but_multiply_adds():
    loop = peers.load(peers.PEAK).Loop(1)
    assert loop.fma() == loop.flops > 0
    assert np.isfinite(loop.buffers[0]).all()
    body = re.search(r"loop.*?\n(.*?)br i1", loop.run.library.ir, re.DOTALL).group(1)
    assert body.count("@llvm.fma") == 12 and "load" not in body and "store" not in body


def test_samples():
    sample = Sample((5.0, 1.0, 3.0, 2.0, 4.0))
    assert sample.median == 3 and sample.quartiles == (2, 4)
    turns = iter([3.0, 30.0, 1.0, 10.0, 2.0, 20.0])
    found = timing.in_turn({"a": lambda: next(turns), "b": lambda: next(turns)}, rounds=3)
    assert found["a"].values == (3, 1, 2) and found["b"].median == 20


ROW = Row(
    "mlp",
    "step 1-1",
    {"chainrule": Sample((2e-6,)), "chainrule eager": Sample((1e-6,)), "numpy": Sample((1e-6, 1e-6, 3e-6))},
    threads=2,
    flops=4000,
    peak=8e9,
)


def test_text_has_ratio_and_share():
    shown = table.text(ROW)
    assert "mlp: step 1-1, 2 threads" in shown and "2 GFLOP/s, 25 % of peak" in shown
    assert "the best peer, numpy, takes 0.50 times our time" in shown
    assert "on 2.5 cores!" in table.text(replace(ROW, cores={"numpy": 2.5, "chainrule": 2.0}))
    assert "cores!" not in table.text(ROW)
    assert "FAILED: why" in table.text(Row("mlp", "step", failure="why"))


def test_page_from_json():
    written = json.loads(json.dumps(table.as_json([ROW], {"processor": "x"})))
    assert table.from_json(written["rows"][0]) == ROW
    shown = page.page(written)
    assert "| step 1-1 | 2 | 2 us | numpy | 1 us | 0.50 | 2 | 25 % |" in shown
    assert "- mlp step 1-1, threads: 2: numpy takes 0.50 times our figure" in shown


def test_a_page_from_several_runs_has_the_later_figures():
    runs = [table.as_json([replace(ROW, threads=n)], {"processor": "x", "rounds": str(n)}) for n in (1, 2)]
    later = replace(ROW, threads=1, figures={**ROW.figures, "numpy": timing.Sample((9e-6,))})
    runs.append(table.as_json([later], {"processor": "x", "rounds": "2"}))
    made = page.merged(runs)
    assert made["machine"] == {"processor": "x", "rounds": "1 or 2"}
    assert [(row["threads"], row["figures"]["numpy"]) for row in made["rows"]] == [
        (1, [9e-6]),
        (2, list(ROW.figures["numpy"].values)),
    ]
    with pytest.raises(SystemExit, match="different machines"):
        page.merged([runs[0], {"machine": {"processor": "y"}, "rows": []}])


def test_rows_can_be_chosen():
    (row,) = eager.rows(Options(smoke=True, row="eager x * x"))
    assert row.name == "x * x, 8 floats" and set(row.figures) == {"chainrule", "numpy"}
    assert not list(mlps.rows(Options(row="no such row")))
