"""The report of a run: one HTML page, complete by itself, that prints well on paper.

Configuration, result, figures and a table of the classes; the pictures are inside the page. Every
word that comes from data or settings is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from chainrule.inspect import Diagnosis
from chainrule.train.evaluation import Evaluation
from chainrule.train.history import History

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse } td, th { padding: .15rem .8rem .15rem 0; text-align: left }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
tr + tr td { border-top: 1px solid #e4e4e4 } img { max-width: 100% } .headline { font-size: 1.2rem }
"""


def html_report(
    config: Mapping[str, Any],
    history: History,
    tested: Evaluation | None,
    figures: Mapping[str, bytes],
    diagnosis: Diagnosis | None = None,
) -> str:
    """Return the page: `figures` are PNGs by their caption, `tested` the evaluation on the test split."""
    title = f"{config['data']['name']}: {config['settings']['model']}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="headline">{escape(_headline(tested))}</p>',
        *(picture(caption, png) for caption, png in figures.items()),
        _classes(tested),
        diagnosed(diagnosis),
        "<h2>Settings</h2>",
        table(("setting", "value"), sorted(config["settings"].items())),
        "<h2>Data</h2>",
        table(("", ""), ((key, value) for key, value in config["data"].items())),
        "<h2>Epochs</h2>",
        table(history.columns, ([row.get(name) for name in history.columns] for row in history)),
        f"<p>Made by chainrule {escape(str(config['chainrule']))}.</p>",
    ]
    return document(title, parts)


def document(title: str, parts: Iterable[str]) -> str:
    """Return a page with the given parts, in HTML, as its body."""
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _headline(tested: Evaluation | None) -> str:
    if tested is None:
        return "There is no test split."
    means = ", ".join(f"{name} {value:.4f}" for name, value in tested.means().items())
    return f"Test: {means} ({tested.samples} samples)"


def _classes(tested: Evaluation | None) -> str:
    if tested is None or not tested.per_class():
        return ""
    rows = [(each.name, each.precision, each.recall, each.f1, each.samples) for each in tested.per_class()]
    return "<h2>Classes</h2>\n" + table(("class", "precision", "recall", "F1", "samples"), rows)


def diagnosed(found: Diagnosis | None) -> str:
    """Return what a diagnosis has found and measured, without figures; '' for none."""
    if found is None:
        return ""
    items = [
        f"<li><b>{escape(each.kind)}</b>: {escape(each.text)}. {escape(each.why.capitalize())}. "
        f"Try: {escape(each.remedy)}.</li>"
        for each in found.findings
    ]
    told = f"<ol>{''.join(items)}</ol>" if items else "<p>Nothing found.</p>"
    return "\n".join(["<h2>Diagnosis</h2>", told, *(table(*each) for each in found.tables())])


def picture(caption: str, png: bytes) -> str:
    """Return a heading and a PNG below it, which becomes part of the page."""
    data = base64.b64encode(png).decode()
    return f'<h2>{escape(caption)}</h2>\n<img alt="{escape(caption)}" src="data:image/png;base64,{data}">'


def table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table; numbers stand to the right."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    lines = "\n".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f"<table>\n<tr>{head}</tr>\n{lines}\n</table>"


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        value = ", ".join(str(each) for each in value)
    if isinstance(value, float):
        shown = f"{value:.4f}" if abs(value) >= 0.01 else f"{value:.4g}"
        return f'<td class="number">{shown}</td>'
    kind = ' class="number"' if isinstance(value, int) else ""
    return f"<td{kind}>{escape(str(value))}</td>"
