"""Cards: what they tell is what was computed, in numbers that can be worked out again."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.core.families import Elementwise, composite
from chainrule.core.op import Op
from chainrule.core.registry import REGISTRY
from chainrule.errors import UnknownNameError
from chainrule.inspect import ComputationalGraph
from chainrule.inspect.explain.style import Style
from chainrule.inspect.explain.worked import product
from chainrule.inspect.expression import Expression, functions

OPS = sorted(name for name, op in REGISTRY.items() if isinstance(op, Op) and op.differentiable and op.samples)
EXACT = Style(digits=12)
READ = {name for name in functions() if isinstance(REGISTRY[name], Elementwise)}
NEURON = "1 / (1 + exp(-(w0*x0 + w1*x1 + w2)))"
AT = {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0}
# Value above gradient, as on the lecture's slide.
SLIDE = {
    "w0": ("2.00", "-0.20"), "x0": ("-1.00", "0.39"), "w1": ("-3.00", "-0.39"), "x1": ("-2.00", "-0.59"),
    "w2": ("-3.00", "0.20"), "multiply": ("-2.00", "0.20"), "multiply_2": ("6.00", "0.20"),
    "add": ("4.00", "0.20"), "add_2": ("1.00", "0.20"), "negative": ("-1.00", "-0.20"),
    "exp": ("0.37", "-0.53"), "add_3": ("1.37", "-0.53"), "divide": ("0.73", "1.00"),
}  # fmt: skip


@composite
def four_gates(t: Any) -> Any:
    """The logistic function, made of four gates."""
    return 1 / (1 + cr.exp(-t))


def graph_of(expression: str, **values: Any) -> ComputationalGraph:
    return ComputationalGraph(Expression(expression).compute(values))


def worked_out(filled: str) -> bool:
    """Compute what stands left of the last `=`, and compare; False if the line is not that simple."""
    worked, _, value = re.sub(r"^\[[\d, ]*\]: |^\w+\[[\d, ]*\] = ", "", filled).rpartition(" = ")
    words = set(re.findall(r"[A-Za-z_]\w*", worked)) - {"x"}
    simple = worked and words <= READ and not re.search(r"\.\.\.|[|;%<=>]|//|\w\[|inf|nan", worked)
    if simple:
        found = Expression(worked.replace(" x ", " * ")).compute({}).data
        wanted = np.array(json.loads(value))  # a partial may be the same along axes
        np.testing.assert_allclose(
            np.broadcast_to(found, wanted.shape), wanted, rtol=1e-5, atol=1e-9, err_msg=filled
        )
    return bool(simple)


def test_the_neuron_is_the_lectures_slide() -> None:
    graph = graph_of(NEURON, **AT)
    graph.backward()
    rows = graph.explain().text(digits=2).splitlines()
    found = {}
    for above, below in itertools.pairwise(rows):
        if not above.startswith(" "):
            name, value = above.split()[:2]
            found[name] = (value, below.split()[0])
    assert found == SLIDE


def test_every_edge_of_the_first_graph() -> None:
    graph = graph_of("(x + y) * z", x=-2.0, y=5.0, z=-4.0)
    graph.backward()
    cards = graph.explain()
    assert cards["multiply"].value == -12
    edges = {
        (c.name, e.source): (c.upstream, e.local, e.downstream, e.residual) for c in cards for e in c.edges
    }
    assert edges == {
        ("add", "x"): (-4, 1, -4, 0), ("add", "y"): (-4, 1, -4, 0),
        ("multiply", "add"): (1, -4, -4, 0), ("multiply", "z"): (1, 3, 3, 0),
    }  # fmt: skip
    assert "multiply = add * z = 3 * (-4) = -12" in cards.text()


def test_the_sigmoid_closed() -> None:
    t = cr.tensor(1.0, requires_grad=True, name="t")
    gate = ComputationalGraph(four_gates(t)).group().output
    gate.backward()
    text = gate.explain().text(digits=4)
    assert "1 / (1 + exp(-t))" in text and "1 / (1 + exp(-1.0000)) = 0.7311" in text
    assert "1.0000 x 0.1966 = 0.1966" in text


def test_what_is_not_computed_is_never_a_number() -> None:
    graph = graph_of("x * y + x", x=2.0, y=0.0)
    card = graph["multiply"].explain()
    assert card.upstream is None and card.edges[0].downstream is None and card.residual is None
    assert card.text().count("not yet computed") == 3
    record = json.loads(graph.explain().json())
    assert record["residual"] is None
    assert all(gate["upstream"] is None for gate in record["gates"])
    assert all(edge["downstream"] is None for gate in record["gates"] for edge in gate["inputs"])
    graph.backward()
    assert graph["multiply"].explain().record()["inputs"][0]["downstream"] == 0.0  # y is 0: a computed zero
    graph["x"].forward()
    assert graph["multiply"].explain().upstream is None


@pytest.mark.parametrize("expression", ["x * y", "x @ y", "sum(x * y)", "max(x, y)", "softmax(x @ y)"])
def test_the_residual_is_measured(expression: str) -> None:
    graph = graph_of(expression, x=[[1.0, 2.0], [3.0, 4.0]], y=[[0.5, -1.0], [2.0, 1.0]])
    graph.backward(np.ones(graph.output.shape))
    assert graph.explain().residual == pytest.approx(0, abs=1e-12)
    for gate in graph:
        sent = gate.sent()
        if gate.inputs and sent:
            gate._sent = (sent[0] + 0.25, *sent[1:])
            assert gate.explain().residual == pytest.approx(0.25)
            gate._sent = sent


def test_half_a_sweep_shows_half() -> None:
    graph = graph_of("x * 3 + x * y", x=5.0, y=2.0)
    gates = graph.nodes_topologically_sorted()
    gates[-1].backward()
    graph["multiply_2"].backward()
    branches = graph["x"].explain().branches
    assert [(each.user, each.gradient) for each in branches] == [("multiply", None), ("multiply_2", 2.0)]
    assert graph["x"].explain().upstream is None
    graph["multiply"].backward()
    text = graph["x"].explain().text()
    assert "3 from multiply (a)" in text and "2 from multiply_2 (a)" in text
    assert "5 (the sum over 2 branches)" in text


def test_a_card_stays_when_the_graph_moves_on() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True, name="x")
    graph = ComputationalGraph((x * x).sum())
    graph.backward()
    card = graph["multiply"].explain()
    before = card.text()
    x.assign([7.0, 7.0])
    graph.forward()
    assert card.text() == before
    assert graph["multiply"].explain().text() != before


@pytest.mark.parametrize("name", OPS)
def test_every_op_has_a_card_that_holds(name: str) -> None:
    op: Any = REGISTRY[name]
    for sample in op.samples:
        arrays = [
            cr.Tensor(a, requires_grad=True, name=f"v{i}") if getattr(a, "dtype", 0) == np.float64 else a
            for i, a in enumerate(sample.arrays(np.float64, seed=3))
        ]
        output = op(*arrays, **sample.params)
        if not output.requires_grad:
            continue
        graph = ComputationalGraph(output)
        check_cards(graph)
        graph.backward(cr.random.Stream(5).normal(output.shape, dtype=output.dtype))
        worked = check_cards(graph)
        assert (
            worked
            or not all(np.size(each.data) for each in arrays)
            or name not in ("tanh", "multiply", "sum", "matrix_product")
        )
        check_cards(graph.group())


def check_cards(graph: ComputationalGraph) -> int:
    """Check all that the cards tell; return how many lines could be worked out again."""
    cards = graph.explain()
    assert json.loads(cards.json())["gates"] and cards.text() and cards._repr_html_()
    assert cards.residual is None or cards.residual < 1e-9
    filled: list[str] = []
    for card in cards:
        filled += [card.formula.numbers(EXACT, card.place)] if card.formula else []
        for i, edge in enumerate(card.edges):
            filled.append(product(card, edge, EXACT))
            if isinstance(edge.local, np.ndarray) and edge.local.size and card.formula:
                slope = card.formula.slope_numbers(i, EXACT, card.place)
                small = EXACT.fits(*card.use.arrays, card.value)
                filled.append(f"{slope} = {EXACT.array(edge.local if small else edge.local[card.place])}")
    return sum(worked_out(each) for each in filled)


def test_boxes_of_other_ops_list_their_steps() -> None:
    x = cr.tensor([[1.0, 2.0, 4.0]], requires_grad=True, name="x")
    graph = ComputationalGraph(cr.std(x, axis=1)).group()
    graph.backward([1.0])
    card = graph.output.explain()
    assert card.family == "box"
    assert card.formula.symbols == "var = var(x, axis=1); sqrt = sqrt(var)"
    assert card.residual is not None and card.residual < 1e-6


def test_a_module_called_0_is_no_number() -> None:
    model = nn.Sequential(nn.Tanh(), nn.ReLU())
    graph = ComputationalGraph(model(cr.tensor([0.5], requires_grad=True, name="x"))).group(kind="module")
    cards = graph.explain()
    assert cards["1"].formula.symbols == "'1' = maximum('0', 0)"
    assert cards["1"].edges[0].source == "0"


def test_large_locals_are_operators_and_one_number_is_worked_out() -> None:
    stream = cr.random.Stream(2)
    x, w = (cr.tensor(stream.normal(shape), requires_grad=True, name=name)
            for shape, name in (((8, 40), "x"), ((40, 9), "w")))  # fmt: skip
    graph = ComputationalGraph((x @ w).sum())
    graph.backward()
    text = graph["matrix_product"].explain().text()
    assert "matrix_product[m,n] = sum over k of x[m,k] * w[k,n]" in text
    assert "downstream[k,n] = sum over m of x[m,k] * upstream[m,n]" in text
    assert "(8, 9) by (40, 9) operator" in text and "... (40 terms)" in text
    record = graph["matrix_product"].explain().record()
    assert record["inputs"][0]["local"] == {"operator": True, "shape": [8, 9, 8, 40]}
    assert record["inputs"][0]["downstream"]["shape"] == [8, 40]


def test_what_is_not_finite_is_told_and_json_stays_valid() -> None:
    x = cr.tensor([1.0, 0.0, 4.0] * 5, requires_grad=True, name="x")
    with np.errstate(all="ignore"):
        graph = ComputationalGraph(cr.log(x).sum())
    graph.backward()
    record = json.loads(graph.explain().json())
    assert record["gates"][1]["value"][1] == "-inf"
    assert "log[1] = log(0) = -inf" in graph["log"].explain().text()


def test_names_are_escaped_in_pages() -> None:
    x = cr.tensor(1.0, requires_grad=True, name="<script>")
    graph = ComputationalGraph(cr.exp(x))
    page = graph.explain()._repr_html_() + graph.output.explain()._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;" in page
    with pytest.raises(UnknownNameError, match="did you mean 'exp'"):
        graph.explain()["exps"]
