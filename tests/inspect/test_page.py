"""The page: complete in one file, laid out as the drawings are, and what its buttons do in Chromium."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.inspect.pictured import GRAPHS, loop, neuron, perceptron

import chainrule as cr
from chainrule.errors import ArgumentError
from chainrule.inspect.draw import Fold
from chainrule.inspect.page import Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SWITCHES = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1200,800"
).split()

in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium to run the page in")


def run(page: Page, script: str) -> Any:
    """Return what a script returns that runs in the page after its own, or fail with its error."""
    driver = (
        "<script>window.onerror = (text) => { document.title = text; };</script>",
        "<script>{ const go = () => {" + script + "};"
        "const out = document.createElement('pre'); out.id = 'out';"
        "try { out.textContent = JSON.stringify(go()); } catch (error) { out.textContent = JSON.stringify(String(error.stack)); }"
        "document.body.append(out); }</script></body>",
    )
    html = page.html.replace("<head>", "<head>" + driver[0], 1).replace("</body>", driver[1])
    file = page.path.with_name("driven.html")
    file.write_text(html, encoding="utf-8")
    command = [
        CHROMIUM,
        *SWITCHES,
        f"--user-data-dir={page.path.parent / 'profile'}",
        "--dump-dom",
        file.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)  # pyright: ignore
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, re.findall("<title>(.*?)</title>", done.stdout)
    text = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return json.loads(text)


def shown(output: cr.Tensor, folder: Path, fold: Fold = "auto") -> tuple[cr.ComputationalGraph, Page]:
    graph = cr.ComputationalGraph(output)
    graph.backward()
    return graph, graph.show(folder / "page.html", fold=fold)


def test_the_page_is_one_file_that_needs_nothing_else(tmp_path: Path) -> None:
    x = cr.tensor(2.0, requires_grad=True, name="</script><b>&")
    page = cr.ComputationalGraph(cr.exp(x)).show(tmp_path / "page.html")
    assert page.html == page.path.read_text()
    without_names = re.sub(r'xmlns="[^"]*"', "", page.html)
    assert not re.search(r"https?:|\bsrc=|@import|url\((?!#)|fetch\(|import\(", without_names)
    assert page.html.count("</script>") == 2
    data = json.loads(re.findall(r'id="data">(.*?)</script>', page.html, re.DOTALL)[0])
    assert data["gates"][0]["name"] == "</script><b>&"
    assert "srcdoc=" in page._repr_html_() and "<script" not in page._repr_html_()


def test_a_page_without_a_path_is_a_temporary_file() -> None:
    page = cr.ComputationalGraph(neuron()).show()
    assert page.path.suffix == ".html" and page.path.read_text() == page.html
    shutil.rmtree(page.path.parent)
    with pytest.raises(ArgumentError, match=r"show: 'net.svg' must end in \.html"):
        cr.ComputationalGraph(neuron()).show("net.svg")


@in_chromium
@pytest.mark.parametrize(
    "name",
    ["neuron", "perceptron", pytest.param("resnet", marks=pytest.mark.slow), "shared weights", "random 40"],
)
def test_the_page_puts_every_box_where_the_drawing_has_it(name: str, tmp_path: Path) -> None:
    """Closed, as at first, and all open: the script's arrangement is that of Python."""
    output = GRAPHS[name]()
    graph, page = shown(output, tmp_path)
    found = run(
        page,
        """const state = () => { const {boxes, lines, labels, wide, high} = chainrule.drawing();
             return [boxes.map((b) => b.place), lines.map((l) => l.stations), labels.map((l) => l.place), wide, high]; };
           const all = [state()];
           chainrule.setAll([]); all.push(state());
           chainrule.setAll(Object.keys(chainrule.data.parts)); all.push(state());
           return all;""",
    )
    made = graph._drawing("auto")
    for fold, (boxes, lines, labels, wide, high) in zip(("auto", 0, None), found, strict=True):
        if fold == 0 and name.startswith("random"):
            continue  # stretches are no depth of their own
        scene = made.scene(fold)
        places = [[box.x, box.y, box.face.width, box.face.height] for box in scene.boxes]
        assert boxes == [pytest.approx(place, abs=1) for place in places]
        assert [len(each) for each in lines] == [len(line.stations) for line in scene.lines]
        assert [[number for station in each for number in station] for each in lines] == [
            pytest.approx([number for station in line.stations for number in station], abs=1)
            for line in scene.lines
        ]
        assert labels == [
            pytest.approx([each.x, each.y, each.width, each.height], abs=1) for each in scene.labels
        ]
        assert [wide, high] == pytest.approx([scene.width, scene.height], abs=1)


@in_chromium
def test_the_walk_shows_values_then_gradients(tmp_path: Path) -> None:
    """At each step of the neuron: how many values and gradients are seen, and whose card is open."""
    _, page = shown(neuron(), tmp_path)
    steps = run(
        page,
        """const seen = (kind) => [...document.querySelectorAll(`.label .${kind}:not(.hidden)`)].length;
           const title = () => document.querySelector("#card b")?.textContent.split(":")[0] ?? "";
           const all = [];
           document.getElementById("start").click();
           for (let i = 0; i <= 18; i++) {
             all.push([seen("v"), seen("g"), title()]);
             document.getElementById("next").click();
           }
           document.getElementById("end").click();
           return [...all, [seen("v"), seen("g"), ""]];""",
    )
    names = ["multiply", "multiply_2", "add", "add_2", "negative", "exp", "add_3", "divide"]
    assert steps[0] == [5, 0, ""]
    assert steps[1:9] == [[6 + i, 0, name] for i, name in enumerate(names)]
    assert [step[1] for step in steps[9:18]] == [1, 2, 3, 4, 5, 7, 9, 11, 13]
    assert [step[2] for step in steps[10:18]] == names[::-1]
    assert steps[18] == steps[17]  # nothing beyond the end
    assert steps[19][:2] == [13, 13]


@in_chromium
def test_opening_searching_zooming_and_cards(tmp_path: Path) -> None:
    _, page = shown(perceptron(), tmp_path, fold=0)
    found = run(
        page,
        """const $ = (id) => document.getElementById(id);
           const boxes = () => chainrule.drawing().boxes.length;
           const click = (node, type = "click") => node.dispatchEvent(new MouseEvent(type, { bubbles: true }));
           const all = { closed: boxes() };
           click(document.querySelector('.box[data-key="part 1"] .fold'));
           all.opened = boxes();
           click(document.querySelector('.frame.title[data-key="part 1"]'));
           all.closedAgain = boxes();
           click(document.querySelector('.box[data-key="part 1"]'));
           all.partCard = $("card").textContent;
           $("search").value = "2.weight";
           $("search").dispatchEvent(new Event("change"));
           all.searched = document.querySelector(".chosen text").textContent;
           all.card = $("card").textContent;
           const before = chainrule.view().scale;
           $("paper").dispatchEvent(new WheelEvent("wheel", { deltaY: -100, clientX: 50, clientY: 80 }));
           all.zoomed = chainrule.view().scale / before;
           const x = chainrule.view().x;
           $("paper").dispatchEvent(new PointerEvent("pointerdown", { clientX: 10, clientY: 10, bubbles: true }));
           window.dispatchEvent(new PointerEvent("pointermove", { clientX: 60, clientY: 10 }));
           window.dispatchEvent(new PointerEvent("pointerup", {}));
           all.panned = chainrule.view().x - x;
           all.nothing = chainrule.find("no such gate");
           document.getElementById("open").click();
           all.everything = boxes();
           return all;""",
    )
    assert found["closed"] == found["closedAgain"] == 4
    assert found["opened"] == 6
    assert "module" in found["partCard"] and "67 parameters" in found["partCard"]
    assert found["searched"] == "weight" and "2.weight" in found["card"] and "upstream" in found["card"]
    assert found["zoomed"] > 1 and found["panned"] == 50 and found["nothing"] is None
    assert found["everything"] == 15


@pytest.mark.slow
@in_chromium
def test_a_thousand_gates_open_at_once(tmp_path: Path) -> None:
    _, page = shown(loop(330), tmp_path)
    found = run(
        page,
        """const at_first = chainrule.drawing().boxes.length;
           chainrule.setAll(Object.keys(chainrule.data.parts));
           return [at_first, document.querySelectorAll(".box").length, chainrule.find("tanh_329")];""",
    )
    assert found[0] < 40 and found[1] > 1000 and found[2].startswith("gate ")
