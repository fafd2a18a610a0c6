"""Expressions as formulas: TeX for pages, and plain text for terminals.

Both print a tree by patterns, with brackets only where a part binds less tightly than its user.
"""

from __future__ import annotations

from chainrule.scalar.expr import CONSTANT, VARIABLE, Expr, walk

TEX = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} \\, {}",
    "divide": "\\frac{{{}}}{{{}}}",
    "negative": "-{}",
    "power": "{}^{{{}}}",
    "floor_divide": "\\left\\lfloor \\frac{{{}}}{{{}}} \\right\\rfloor",
    "remainder": "{} \\bmod {}",
    "exp": "e^{{{}}}",
    "sqrt": "\\sqrt{{{}}}",
    "absolute": "\\left|{}\\right|",
    "floor": "\\lfloor {} \\rfloor",
    "ceil": "\\lceil {} \\rceil",
    "less": "{} < {}",
    "less_equal": "{} \\le {}",
    "greater": "{} > {}",
    "greater_equal": "{} \\ge {}",
    "equal": "{} = {}",
    "not_equal": "{} \\ne {}",
    "logical_and": "{} \\wedge {}",
    "logical_or": "{} \\vee {}",
    "logical_xor": "{} \\oplus {}",
    "logical_not": "\\neg {}",
    "select": "\\begin{{cases}} {1} & {0} \\\\ {2} & \\text{{else}} \\end{{cases}}",
    "maximum": "\\max({}, {})",
    "minimum": "\\min({}, {})",
    "arctan2": "\\operatorname{{arctan2}}({}, {})",
}
TEXT = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "negative": "-{}",
    "power": "{} ** {}",
    "floor_divide": "{} // {}",
    "remainder": "{} % {}",
    "absolute": "|{}|",
    "less": "{} < {}",
    "less_equal": "{} <= {}",
    "greater": "{} > {}",
    "greater_equal": "{} >= {}",
    "equal": "{} = {}",
    "not_equal": "{} != {}",
    "logical_and": "{} and {}",
    "logical_or": "{} or {}",
    "logical_not": "not {}",
    "select": "({1} if {0} else {2})",
}
# How tightly each function binds; what binds less tightly than its user gets brackets.
_BINDING = {
    "select": 0, "logical_or": 1, "logical_xor": 1, "logical_and": 2, "logical_not": 3,
    "less": 4, "less_equal": 4, "greater": 4, "greater_equal": 4, "equal": 4, "not_equal": 4,
    "add": 5, "subtract": 5, "multiply": 6, "divide": 6, "floor_divide": 6, "remainder": 6,
    "negative": 7, "power": 8,
}  # fmt: skip
_ATOM = 9


def tex(root: Expr) -> str:
    """Return `root` as a TeX formula."""
    closed = {"divide", "exp", "sqrt", "absolute", "floor", "ceil", "select", "floor_divide"}
    return _printed(root, TEX, "\\operatorname{{{name}}}({args})", closed, ("\\left(", "\\right)"))


def text(root: Expr) -> str:
    """Return `root` as one line of plain text.

    >>> from chainrule.scalar import variable, tanh
    >>> text(0.5 * (1 + tanh(0.5 * variable("x"))))
    '0.5 * (1 + tanh(0.5 * x))'
    """
    return _printed(root, TEXT, "{name}({args})", {"absolute"}, ("(", ")"))


def _printed(
    root: Expr, patterns: dict[str, str], call: str, closed: set[str], brackets: tuple[str, str]
) -> str:
    written: dict[Expr, str] = {}
    for node in walk(root):
        if node.function == VARIABLE:
            written[node] = str(node.value)
        elif node.function == CONSTANT:
            written[node] = _number(node.value)
        elif node.function == "cast":
            written[node] = written[node.args[0]]
        elif node.function in patterns:
            level = 0 if node.function in closed else _BINDING.get(node.function, 0)
            args = [
                _wrapped(arg, written[arg], level, place, brackets) for place, arg in enumerate(node.args)
            ]
            written[node] = patterns[node.function].format(*args)
        else:
            args = ", ".join(written[arg] for arg in node.args)
            written[node] = call.format(name=node.function, args=args)
    return written[root]


def _wrapped(arg: Expr, shown: str, level: int, place: int, brackets: tuple[str, str]) -> str:
    binding = _BINDING.get(arg.function, _ATOM)
    loose = binding < level or (binding == level and place > 0 and level > 4)
    return f"{brackets[0]}{shown}{brackets[1]}" if loose else shown


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
