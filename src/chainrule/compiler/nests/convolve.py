"""Convolutions: found again in the movements and contractions that they are made of.

A contraction over `windows` of a (padded) value is a convolution; with the windows' own taps left
over it is the gradient of the weights; and the transpose of `windows`, applied to a contraction, is
the gradient of the input. All of them work on images side by side, in the lanes; windows of 3 x 3 by
tiles, where that is less work. A batch of few images would leave most lanes empty: there the windows are
copied, and the contraction is a product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from chainrule.compiler.cpu import winograd
from chainrule.compiler.cpu.convolution import Forward, Geometry, InputGradient, WeightGradient
from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.agenda import space_of
from chainrule.compiler.nests.buffer import Buffer
from chainrule.compiler.nests.index import loop, variable
from chainrule.compiler.nests.nest import Store
from chainrule.core.families.contraction import Contraction
from chainrule.core.families.movement import Transposed
from chainrule.core.program import Equation, Value
from chainrule.core.spec import Shape
from chainrule.ops.shape import pairs

_LANES = {"float32": 16, "float64": 8}
_DIRECTIONS: dict[Any, winograd.Direction] = {
    Forward: "forward", InputGradient: "input", WeightGradient: "weights"
}  # fmt: skip
_FEW = 4  # where images fill no more than this part of the lanes, copied windows and products are quicker


@dataclass(frozen=True, eq=False)
class Match:
    """A convolution that a step finishes: what it works on, in the kernel's order."""

    kind: Any
    operands: tuple[Value, Value]
    geometry: Geometry

    @property
    def direction(self) -> winograd.Direction:
        """Which of the three it is, in words."""
        return _DIRECTIONS[self.kind]


class Convolutions:
    """The convolutions of a program; `split` is how many images lie side by side (0: there are none)."""

    def __init__(self, lowering: Any) -> None:
        self.lowering = lowering
        self.equations: dict[int, Equation] = lowering.equations
        self.matches: dict[int, Match] = {}
        self.inner: set[int] = set()  # steps that only lead to a convolution's last
        self.split = 0
        dtypes: list[str] = []
        places: dict[int, int] = {}
        for place, step in enumerate(lowering.program.steps):
            found = self._matched(step) if isinstance(step, Equation) else None
            if found is not None and found.geometry.n > _LANES[step.output.spec.dtype.name] // _FEW:
                self.matches[id(step.output)], places[id(step.output)] = found, place
                dtypes.append(step.output.spec.dtype.name)
        if dtypes:
            self.split = _LANES[dtypes[0]]
            self.matches = {
                key: match
                for key, match in self.matches.items()
                if self.equations[key].output.spec.dtype.name == dtypes[0]
            }
        for key, match in self.matches.items():
            self._leading(self.equations[key])
            for value in match.operands:
                lowering.reuse.read_at(places[key], value)

    def lower(self, step: Equation) -> bool:
        """Lower a step that finishes a convolution or leads to one; tell whether it does."""
        if id(step.output) in self.inner:
            return True
        found = self.matches.get(id(step.output))
        if found is None:
            return False
        lowering = self.lowering
        first, second = found.operands
        weights = found.kind is WeightGradient
        reads = [
            lowering.laid_out(first, self.split),
            lowering.laid_out(second, self.split if weights else 0),
        ]
        home = lowering.home(step.output, 0 if weights else self.split)
        tile = winograd.tile_of(found.geometry, found.direction, home.dtype.itemsize)
        if tile is not None:
            self._by_tiles(found, tile, reads, home)
        else:
            self._by_taps(found.kind(found.geometry, home.dtype.name), reads, home)
        lowering.elements.settle(step.output, home)
        return True

    def _by_taps(self, kernel: Any, reads: list[Buffer], home: Buffer) -> None:
        """Add a convolution tap by tap; gradients of weights over shares of the images are added up."""
        lowering, shares = self.lowering, getattr(kernel, "images", 1)
        if shares == 1:
            lowering.agenda.work(kernel, reads, [home])
            return
        sums = lowering.temporary((shares, *home.shape), home.dtype)
        lowering.agenda.work(kernel, reads, [sums])
        share, (variables, at) = variable("f0_share", shares), lowering.elements.loops(home.shape, "o")
        term = terms.load(sums, sums.address((loop(share), *at)))
        store = Store(home, home.address(at), terms.fold("add", [share], term, home.dtype))
        lowering.agenda.store(space_of(home.shape, False), variables, store)

    def _by_tiles(self, found: Match, tile: winograd.Tile, reads: list[Buffer], home: Buffer) -> None:
        """Add a convolution by tiles: what its operands are at the points has a buffer of its own."""
        add, g, dtype = self.lowering.agenda.work, found.geometry, home.dtype
        if found.kind is WeightGradient:
            shards = winograd.Shards(g, tile, dtype.name)
            sums = self.lowering.temporary((shards.parts, shards.sums), dtype)
            add(shards, reads, [sums])
            add(winograd.Joined(g, tile, dtype.name), [sums, *reads], [home])
            return
        filters = winograd.Filters(g.o, g.c, tile, dtype.name, found.kind is InputGradient)
        points = self.lowering.temporary(filters.shape, dtype)
        add(filters, reads[1:], [points])
        add(winograd.Slid(g, tile, dtype.name, filters.backward), [*reads, points], [home])

    def _leading(self, step: Equation) -> None:
        """Mark the steps before an input's gradient that nobody else reads."""
        while isinstance(step.op, Transposed):
            step = self.equations[id(step.reads[0])]
            key, reuse = id(step.output), self.lowering.reuse
            if len(reuse.readers[key]) > 1 or key in reuse.results:
                return
            self.inner.add(id(step.output))

    # ---- what is a convolution -------------------------------------------------------------------
    def _matched(self, step: Equation) -> Match | None:
        if step.output.spec.dtype.name not in _LANES or any(
            0 in value.spec.shape for value in (*step.reads, step.output)
        ):
            return None
        found = None
        if step.op.family == "contraction":
            found = self._forward_or_weights(step)
        elif isinstance(step.op, Transposed):
            found = self._input(step)
        alike = found and all(each.spec.dtype == step.output.spec.dtype for each in found.operands)
        return found if alike else None

    def _forward_or_weights(self, step: Equation) -> Match | None:
        axes = cast("Contraction", step.op).axes
        if axes.dots != (False, False, False):
            return None
        for side, names in ((0, axes.left), (1, axes.right)):
            seen = self._windows(step.reads[side])
            if seen is None:
                continue
            (source, slide, pads), other = seen, step.reads[1 - side]
            given, taps = (axes.right, axes.left)[side], len(slide["size"])
            lead, places, inner = names[: -2 * taps], names[-2 * taps : -taps], names[-taps:]
            if axes.out[-taps:] == places and given[-taps:] == inner and _weights(given, lead, axes.out):
                geometry = _geometry(source.spec.shape, slide, pads, other.spec.shape)
                return Match(Forward, (source, other), geometry)
            if given[-taps:] == places and axes.out[-taps:] == inner and _weights(axes.out, lead, given):
                geometry = _geometry(source.spec.shape, slide, pads, step.output.spec.shape)
                return Match(WeightGradient, (other, source), geometry)
        return None

    def _windows(self, value: Value) -> tuple[Value, dict[str, Any], Any] | None:
        """Return what a value is a view of windows on, how they slide, and the padding."""
        step = self.equations.get(id(value))
        if step is None or step.op.name != "windows":
            return None
        (source,) = step.reads
        padded = self.equations.get(id(source))
        if padded is not None and padded.op.name == "constant_pad":
            widths = pairs(padded.params["pad_width"], len(source.spec.shape))
            taps = len(step.params["size"])
            if padded.params["fill"] == 0 and not any(map(sum, widths[:-taps])):
                return padded.reads[0], step.params, widths[-taps:]
        return source, step.params, ((0, 0),) * len(step.params["size"])

    def _input(self, step: Equation) -> Match | None:
        """Match the transpose of windows, or of padding and windows, over a contraction."""
        params: dict[str, Any] = step.params
        shape, widths = tuple(params["shape"]), None
        op = cast("Transposed", step.op)
        if op.forward.name == "constant_pad":
            widths = pairs(params["params"]["pad_width"], len(shape))
            before = self.equations.get(id(step.reads[0]))
            if before is None or not isinstance(before.op, Transposed):
                return None
            step, params, op = before, before.params, before.op
        if op.forward.name != "windows":
            return None
        made = self.equations.get(id(step.reads[0]))
        taps = len(params["params"]["size"])
        if made is None or made.op.family != "contraction" or (widths and any(map(sum, widths[:-taps]))):
            return None
        axes = cast("Contraction", made.op).axes
        lead, places, inner = axes.out[: -2 * taps], axes.out[-2 * taps : -taps], axes.out[-taps:]
        pads = widths[-taps:] if widths else ((0, 0),) * taps
        for side, names in ((0, axes.left), (1, axes.right)):
            weight, g = made.reads[side], made.reads[1 - side]
            given = (axes.right, axes.left)[side]
            if names[-taps:] == inner and given[-taps:] == places and _weights(names, lead, given):
                geometry = _geometry(shape, params["params"], pads, weight.spec.shape)
                return Match(InputGradient, (g, weight), geometry)
        return None


def _weights(names: tuple[str, ...], lead: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    """Tell whether names are (group?) output, input, taps for images of (n, group?, input)."""
    n, *group, inner = lead
    taps = len(names) - 2 - len(group)
    if taps < 1 or names[: len(group)] != tuple(group) or names[len(group) + 1] != inner:
        return False
    return outer[: 2 + len(group)] == (n, *group, names[len(group)])


def _geometry(images: Shape, slide: dict[str, Any], pads: Any, weight: Shape) -> Geometry:
    """Return the geometry of images (n, group?, channels, sides) and weights (group?, o, i, taps)."""
    taps = len(slide["size"])
    n, *group, channels = images[:-taps]
    groups = group[0] if group else 1
    outputs = groups * weight[len(group)]
    rest = (1,) * (2 - taps)
    height, width = rest + images[-taps:]
    kh, kw = rest + tuple(slide["size"])
    return Geometry(
        n=n, c=channels * groups, h=height, w=width, o=outputs, kh=kh, kw=kw,
        stride=rest + tuple(slide["stride"] or (1,) * taps),
        pads=((0, 0),) * (2 - taps) + tuple(map(tuple, pads)),
        dilation=rest + tuple(slide["dilation"] or (1,) * taps),
        groups=groups,
    )  # fmt: skip
