"""Arguments: what a compiled function is called with, as leaves that can be told apart.

Nested tuples, lists, dicts and dataclasses of arrays become a list of leaves and a layout, and leaves
the kinds for which a program is made. What a program does with them is not known here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from chainrule.core.spec import Array
from chainrule.core.tensor import Tensor
from chainrule.errors import ArgumentError, DTypeError

_PLAIN = (int, bool, str)  # equal ones of one class mean the same


def is_array(leaf: Any) -> bool:
    """Tell whether an argument holds numbers of its own."""
    return isinstance(leaf, (Tensor, np.ndarray, np.generic))


def is_state(value: Any) -> bool:
    """Tell whether something has numbers of its own that change: another one is not the same."""
    return isinstance(value, Tensor) or (hasattr(value, "state_dict") and not isinstance(value, type))


def kind_of(leaf: Any) -> Any:
    """Return what must agree for a program to serve another call."""
    if isinstance(leaf, Tensor):
        return (
            leaf._data.shape,
            leaf._data.dtype.str,
            leaf.requires_grad,
            id(leaf) if leaf.requires_grad else 0,
        )
    if is_array(leaf):
        return leaf.shape, leaf.dtype.str
    if isinstance(leaf, slice):
        return slice, *map(kind_of, (leaf.start, leaf.stop, leaf.step))
    if isinstance(leaf, float):
        return leaf.__class__, leaf.hex()  # 0.0 == -0.0, and NaN is not even itself
    if leaf is None or leaf.__class__ in _PLAIN:
        return leaf.__class__, leaf
    try:
        hash(leaf)
    except TypeError:
        return leaf.__class__, _Itself(leaf)
    return leaf.__class__, leaf, _parts_of(leaf)


def _parts_of(leaf: Any) -> Any:
    """Return the kinds of what an object is made of: it may equal one of 1 where it is of 1.0 or True."""
    if isinstance(leaf, tuple):
        return tuple(map(kind_of, cast("tuple[Any, ...]", leaf)))
    if isinstance(leaf, frozenset):
        return frozenset(map(kind_of, cast("frozenset[Any]", leaf)))
    if fields := getattr(leaf.__class__, "__dataclass_fields__", None):
        return tuple(kind_of(getattr(leaf, name, None)) for name, each in fields.items() if each.compare)
    if leaf.__class__.__eq__ is object.__eq__:
        return None
    return tuple((name, each.__class__) for name, each in getattr(leaf, "__dict__", {}).items())


class _Itself:
    """Stands for an object that cannot be hashed: equal if it is that very one, which is kept for that."""

    def __init__(self, of: Any) -> None:
        self.of = of

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.of is self.of

    def __hash__(self) -> int:
        return id(self.of)


def flattened(tree: Any) -> tuple[list[Any], Any]:
    """Return the leaves of nested tuples, lists, dicts and dataclasses, and a layout that can be compared."""
    if isinstance(tree, (tuple, list)):
        parts = [flattened(each) for each in cast("Sequence[Any]", tree)]
        kind: Any = tree.__class__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return [leaf for leaves, _ in parts for leaf in leaves], (kind, tuple(layout for _, layout in parts))
    if isinstance(tree, dict):
        named = {key: flattened(each) for key, each in cast("dict[Any, Any]", tree).items()}
        kind = tree.__class__
        if kind is not dict:
            kind = _Dict(kind, tree.default_factory if isinstance(tree, defaultdict) else None)
        layout = (kind, tuple((key, kind_of(key), each) for key, (_, each) in named.items()))
        return [leaf for leaves, _ in named.values() for leaf in leaves], layout
    return _opened(tree) or ([tree], None)


def _opened(tree: Any) -> tuple[list[Any], Any] | None:
    """Return the leaves and the layout of a dataclass that holds arrays or models; None of anything else."""
    fields = getattr(tree.__class__, "__dataclass_fields__", None)
    if fields is None or is_state(tree):
        return None
    own: dict[str, Any] = getattr(tree, "__dict__", {})
    names = [name for name in {**fields, **own} if name in own or hasattr(tree, name)]
    parts = {name: flattened(getattr(tree, name)) for name in names}
    leaves = [leaf for leaves, _ in parts.values() for leaf in leaves]
    if not any(is_array(leaf) or is_state(leaf) for leaf in leaves):
        return None
    layout = tuple((name, None, each) for name, (_, each) in parts.items())
    return leaves, (_Object(tree.__class__), layout)


class _Object(NamedTuple):
    """A class of objects that are known by their attributes."""

    kind: type[Any]

    def new(self, **attributes: Any) -> Any:
        """Return an object of the class; what it does when it is made was done to the one it stands for."""
        made = object.__new__(self.kind)
        for name, value in attributes.items():
            object.__setattr__(made, name, value)
        return made


class _Dict(NamedTuple):
    """A class of dicts, and what makes their missing items."""

    kind: type[dict[Any, Any]]
    missing: Any

    def new(self) -> dict[Any, Any]:
        """Return an empty one, or raise DTypeError where its class does not make one."""
        try:
            made = self.kind()
        except TypeError as error:
            raise DTypeError(
                f"compile: no {self.kind.__name__} can be made of items ({error})", hint="use a plain dict"
            ) from error
        if self.missing is not None:
            made.default_factory = self.missing
        return made


def rebuilt(leaves: Iterable[Any], layout: Any) -> Any:
    """Return the tree of `flattened` with these leaves."""
    return _built(iter(leaves), layout)


def _built(leaves: Iterator[Any], layout: Any) -> Any:
    # No function inside of `rebuilt`: it would hold itself, and the leaves until they are collected.
    if layout is None:
        return next(leaves)
    kind, parts = layout
    if kind is dict or isinstance(kind, _Dict):
        items: dict[Any, Any] = {} if kind is dict else kind.new()
        for key, _, part in parts:
            items[key] = _built(leaves, part)
        return items
    if isinstance(kind, _Object):
        attributes: dict[str, Any] = {}
        for name, _, part in parts:
            attributes[name] = _built(leaves, part)
        return kind.new(**attributes)
    made = [_built(leaves, part) for part in parts]
    return kind._make(made) if hasattr(kind, "_make") else kind(made)  # named tuples stay what they are


def rows_of(name: str, given: Any) -> Array:
    """Return the rows given to `epoch` as one array in C order; ArgumentError where there are none."""
    try:
        rows = np.asarray(given, order="C")
    except ValueError as error:
        hint = "arrays with one row for each sample: step.epoch(train.x, train.y, 64)"
        raise ArgumentError(
            f"epoch: {name} is no array of rows of one shape", got=str(error), hint=hint
        ) from None
    if not rows.ndim:
        raise ArgumentError(f"epoch: {name} is a single number, needs a row for each sample")
    return rows
