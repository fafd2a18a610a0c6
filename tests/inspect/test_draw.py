"""Drawings: nothing overlaps, everything is there, and closed is what was asked for."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.inspect.pictured import GRAPHS, ResNet20, check_scene, images, loop, neuron, perceptron

import chainrule as cr
from chainrule.core.families import composite
from chainrule.errors import ArgumentError, UnknownNameError
from chainrule.inspect.draw import Drawing, Fold
from chainrule.inspect.draw.scene import Scene
from chainrule.nn import functional as F


def drawing(output: cr.Tensor, direction: str = "auto") -> Drawing:
    graph = cr.ComputationalGraph(output)
    graph.backward()
    return graph._drawing(direction)


def titles(scene: Scene) -> list[str]:
    return [box.face.title for box in scene.boxes]


@pytest.mark.parametrize("direction", ["right", "down"])
@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_overlaps_however_much_is_open(name: str, direction: str) -> None:
    made = drawing(GRAPHS[name](), direction)
    folds: list[Fold] = ["auto", 0, 2, 3] + ([None] if name != "resnet" or direction == "down" else [])
    for fold in folds:
        check_scene(made.scene(fold))


@pytest.mark.parametrize("name", GRAPHS)
def test_every_gate_is_drawn_once_and_every_edge_has_its_numbers(name: str) -> None:
    output = GRAPHS[name]()
    made = drawing(output)
    gates = cr.ComputationalGraph(output).nodes_topologically_sorted()
    scene = made.scene(None)
    assert sorted(box.key for box in scene.boxes) == sorted(gate.name for gate in gates)
    written = sum(source.op != "constant" for gate in gates for source in dict.fromkeys(gate.sources))
    assert len(scene.labels) >= written + 1  # where a value enters a part for several, there is one more
    assert not any(label.gradient == "not yet" for label in scene.labels)


def test_the_neuron_shows_every_number_of_the_slide() -> None:
    graph = cr.ComputationalGraph(neuron())
    before = graph._drawing("auto").scene()
    assert {label.gradient for label in before.labels} == {"not yet"}  # and never 0
    graph.backward()
    scene = graph._drawing("auto").scene()
    found = {(label.value, label.gradient) for label in scene.labels}
    slide = {("2", "−0.1966"), ("−1", "0.3932"), ("−3", "−0.3932"), ("−2", "−0.5898"), ("−3", "0.1966")}
    inner = {("−2", "0.1966"), ("6", "0.1966"), ("4", "0.1966"), ("1", "0.1966"), ("−1", "−0.1966")}
    assert found == slide | inner | {("0.3679", "−0.5344"), ("1.368", "−0.5344"), ("0.7311", "1")}
    assert scene.right


def test_a_resnet_is_folded_to_under_forty_boxes_with_its_repeated_blocks_as_one() -> None:
    model = ResNet20()
    made = drawing(F.cross_entropy(model(images(2, 8)), np.arange(2)))
    scene = made.scene()
    assert len(scene.boxes) < 40
    assert [title for title in titles(scene) if "×" in title] == ["Block × 3", "Block × 2", "Block × 2"]
    text = {line for box in scene.boxes for line in box.face.lines}
    assert {"14,016 parameters", "432 parameters", "layer1.0 … layer1.2", "2×64×2×2"} <= text
    assert made.root.count == sum(parameter.size for parameter in model.parameters())


def test_equal_steps_of_a_loop_are_one_box_and_long_lists_are_cut() -> None:
    assert "steps × 39" in titles(drawing(loop()).scene())
    long = drawing(GRAPHS["random 150"]())
    assert len(long.scene().boxes) < 40 < len(long.scene(None).boxes)


def test_steps_that_do_not_feed_each_other_are_not_a_repetition() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True, name="x")
    sums = [cr.sum(cr.exp(cr.sin(x))) for _ in range(6)]
    parts = drawing(cr.sum(cr.stack(sums))).root.parts()
    assert all(part.kind != "repeat" for part in parts)


@pytest.mark.parametrize(
    ("fold", "there", "gone"),
    [
        (0, ["Sequential", "cross_entropy"], ["Linear", "relu"]),
        (1, ["Linear", "ReLU"], ["relu", "weight"]),
        (None, ["weight", "bias", "relu"], ["Linear", "Sequential"]),
        ("Linear", ["Linear", "relu"], ["weight", "ReLU"]),
        (["0", "linear"], ["Linear", "linear", "weight"], ["ReLU"]),
        ([], ["weight", "relu"], ["Linear"]),
    ],
)
def test_fold(fold: Fold, there: list[str], gone: list[str]) -> None:
    shown = titles(drawing(perceptron()).scene(fold))
    assert set(there) <= set(shown)
    assert not set(gone) & set(shown)


def test_what_was_closed_in_the_graph_is_drawn_closed() -> None:
    @composite
    def gate(x: cr.Tensor) -> cr.Tensor:
        """Some gates."""
        return cr.exp(x) + cr.sin(x)

    graph = cr.ComputationalGraph(gate(cr.tensor(1.0, requires_grad=True, name="x")))
    assert titles(graph._drawing("auto").scene()) == ["x", "exp", "sin", "+  add"]
    assert titles(graph.group()._drawing("auto").scene()) == ["x", "gate"]
    del cr.core.registry.REGISTRY["gate"]  # pyright: ignore


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"path": "net.gif"}, ArgumentError, "draw: 'net.gif' must end in .svg, .png, .pdf"),
        ({"path": "net"}, ArgumentError, "draw: 'net' must end in"),
        ({"direction": "up"}, ArgumentError, "draw: there is no direction 'up'"),
        ({"fold": -1}, ArgumentError, "draw: fold must be a depth of 0 or more"),
        ({"fold": ["linaer"]}, UnknownNameError, "draw: nothing to fold is called 'linaer'"),
    ],
)
def test_wrong_arguments(
    options: dict[str, object], error: type[Exception], message: str, tmp_path: Path
) -> None:
    path = tmp_path / str(options.pop("path", "net.svg"))
    with pytest.raises(error) as raised:
        cr.ComputationalGraph(perceptron()).draw(path, **options)  # pyright: ignore
    assert str(raised.value).startswith(message)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("ending", "begins"), [("svg", b"<svg "), ("PNG", b"\x89PNG"), ("pdf", b"%PDF-")])
def test_files(ending: str, begins: bytes, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"net.{ending}"
    path.write_text("an older one")
    graph = cr.ComputationalGraph(neuron())
    assert graph.draw(str(path)) == path
    content = path.read_bytes()
    assert content.startswith(begins)
    assert list(tmp_path.iterdir()) == [path]
    graph.draw(path)
    assert path.read_bytes() == content  # the same graph, the same picture


@pytest.mark.parametrize("shape", [(), (0, 3)])
def test_a_leaf_alone_and_nothing_at_all_can_be_drawn(shape: tuple[int, ...], tmp_path: Path) -> None:
    x = cr.tensor(np.ones(shape), requires_grad=True, name="x")
    for output in (x, x * 2):
        graph = cr.ComputationalGraph(output)
        graph.draw(tmp_path / "x.svg")
        assert "x" in graph.show(tmp_path / "x.html").html


@pytest.mark.parametrize("direction", ["right", "down"])
def test_edges_leave_and_arrive_along_the_direction_of_the_drawing(direction: str, tmp_path: Path) -> None:
    x = cr.tensor(2.0, requires_grad=True, name="x")
    graph = cr.ComputationalGraph((x * x + 1.0) * cr.exp(x))
    svg = graph.draw(tmp_path / "net.svg", direction=direction).read_text(encoding="utf-8")
    curves = re.findall(r"[ML]([-\d.]+) ([-\d.]+)C([^CL\"]+)", svg)  # a straight piece, then a bend
    along = 1 if direction == "right" else 0  # the coordinate that stays at both ends of a bend
    for *start, bend in curves:
        points = list(zip(*[iter(bend.split())] * 2, strict=True))
        assert start[along] == points[0][along] and points[1][along] == points[2][along]
    assert curves


def test_names_are_data_in_svg(tmp_path: Path) -> None:
    x = cr.tensor(np.nan, requires_grad=True, name="<script>&$x$\x00")
    path = cr.ComputationalGraph(cr.exp(x) * np.inf).draw(tmp_path / "net.svg")
    texts = [each.text for each in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]
    assert "<script>&$x$·" in texts
    assert "nan" in texts
    cr.ComputationalGraph(cr.exp(x)).draw(tmp_path / "net.png")


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_names_in_any_script_are_drawn_in_silence(ending: str, tmp_path: Path) -> None:
    x = cr.tensor(2.0, requires_grad=True, name="層")
    assert cr.ComputationalGraph(x * x).draw(tmp_path / f"graph.{ending}").stat().st_size > 1000
