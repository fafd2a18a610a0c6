"""Lowering: a program as a list of kernels over buffers.

One walk over the steps decides, for each value, whether it gets a place in memory or is written out
wherever it is read. What is stored becomes a loop nest, a matrix product, a convolution or a draw;
nests over the same space that need nothing of each other but the same element become one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.compiler.cpu.draw import Advance, Draw
from chainrule.compiler.nests import term as terms
from chainrule.compiler.nests.agenda import Agenda, Space, reads_elsewhere, space_of
from chainrule.compiler.nests.buffer import Buffer, unflat
from chainrule.compiler.nests.convolve import Convolutions
from chainrule.compiler.nests.element import Elements, sums_over_images
from chainrule.compiler.nests.index import loop
from chainrule.compiler.nests.lookup import Indices, looked_up, slots, whole
from chainrule.compiler.nests.multiply import product_of
from chainrule.compiler.nests.nest import Store
from chainrule.compiler.nests.outside import Outside
from chainrule.compiler.nests.reuse import Reuse
from chainrule.compiler.nests.term import Term
from chainrule.core.program import Equation, Program, Refusal, Value, Write
from chainrule.core.spec import Shape
from chainrule.core.watched import Watched
from chainrule.errors import ChainruleError, DTypeError, IndexRangeError
from chainrule.scalar.expr import apply
from chainrule.scalar.expr import variable as named


class Lowering:
    """The lowering of one program; `agenda`, `results`, `flags` and `checks` are what comes of it."""

    def __init__(self, program: Program, outside: Outside) -> None:
        terms.forget()
        self.program, self.outside = program, outside
        self.agenda = Agenda()
        self.equations = {id(step.output): step for step in program.equations}
        self.inner: list[Buffer] = []
        self.results: list[Buffer] = []
        self.flags: list[tuple[str, str]] = []  # what a step may raise: error and text, one flag for each
        self._checked: set[tuple[int, int]] = set()
        self.setting = Buffer("settings", (outside.slots,), np.dtype(np.float64), "setting")
        self.elements = Elements(self.equations, self._setting_of)
        self.reuse = Reuse(program)
        self._copies: dict[Any, Buffer] = {}
        self._tenants: dict[Buffer, list[Value]] = {}  # values that lie in a captured array
        self._streams: dict[int, Buffer] = {}
        self._prepare()
        self.convolutions = Convolutions(self)
        self.elements.split = self.convolutions.split
        for place, step in enumerate(program.steps):
            if isinstance(step, Equation):
                self._equation(place, step)
            elif isinstance(step, Write):
                self._write(place, step)
            elif isinstance(step, Refusal):
                variables, at = self.elements.loops(step.wrong.spec.shape, "f")
                self._refuse(variables, self.elements.of(step.wrong, at), step.text, step.kind)
        self._finish()
        self.agenda.drop_unread()
        self.agenda.leave_last(Buffer("last", (1,), np.dtype(np.int64), "last"))
        self.checks = self.agenda.checks_first()  # items after which a flag that is up ends the step

    # ---- what the program begins with ------------------------------------------------------------
    def _prepare(self) -> None:
        for role, values in (("argument", self.program.arguments), ("captured", self.program.captured)):
            for place, value in enumerate(values):
                if not value.spec.dtype.isnative:
                    raise DTypeError(f"compile: {value.name or role} is {value.spec.dtype}, in swapped bytes")
                home = Buffer(f"{role[0]}{place}", value.spec.shape, value.spec.dtype, role, place)
                self.elements.settle(value, home)
        constants = zip(self.outside.constants, self.outside.arrays(), strict=True)
        for place, (value, array) in enumerate(constants):
            home = Buffer(f"k{place}", array.shape, array.dtype, "constant", place, array=array)
            self.elements.settle(value, home)
        self.targets = dict(self.elements.homes)  # where a state lies, wherever its first value is read
        for value in self.program.captured:
            self._tenants[self.targets[id(value)]] = [value]

    def _setting_of(self, watched: Watched) -> Term:
        return terms.setting(self.setting, self.outside.settings[id(watched)])

    # ---- steps -----------------------------------------------------------------------------------
    def _equation(self, place: int, step: Equation) -> None:
        value = step.output
        if 0 in value.spec.shape:
            return
        if step.op.name in ("picked", "placed"):
            self._check_places(step)
        if step.op.name == "drawn":
            self._draw(step)
        elif self.convolutions.lower(step) or not self.reuse.wanted(value):
            return
        elif step.op.name in ("placed", "cumsum"):
            self._own_loop(step)
        elif step.op.family == "contraction" and value.spec.dtype.kind == "f" and _summed(step):
            self.elements.settle(value, product_of(self, step))
        elif self.reuse.keep(place, step, self.elements):
            self.store(value)
        elif self._becomes_images(step):
            self.elements.settle(value, self.copy(value, self.elements.split))

    def _check_places(self, step: Equation) -> None:
        """Let the step report integers that are no places of what they look into, but for known ones."""
        for array, size, text in slots(step):
            if array.constant is not None:
                continue
            variables, at = self.elements.loops(array.spec.shape, "f")
            read = self.elements.of(array, at)
            given = read.kind == "load" and read.data[0].role in ("argument", "captured")
            if (id(array), size) in self._checked or not (given or self._may_be_wrong(step, array, read)):
                continue
            self._checked.add((id(array), size))
            wrong = terms.apply(_OUTSIDE, ("x", "y"), (read, terms.value(size)), np.dtype(np.bool_))
            self._refuse(variables, wrong, text)

    def _may_be_wrong(self, step: Equation, array: Value, read: Term) -> bool:
        """Tell whether places that are looked up were computed from what is given, and may be any."""
        if step.op.name != "picked" or whole(read) is not None:
            return False
        seen, waiting = set[int](), [array]
        while waiting:
            value = waiting.pop()
            if value.kind in ("argument", "captured"):
                return True
            if id(value) in self.equations and id(value) not in seen:
                seen.add(id(value))
                waiting += self.equations[id(value)].reads
        return False

    def _refuse(
        self, variables: Sequence[Any], wrong: Term, text: str, kind: type[ChainruleError] = IndexRangeError
    ) -> None:
        """Raise a flag if a term is true for any value of the variables."""
        flag = Buffer(f"f{len(self.flags)}", (), np.dtype(np.bool_), "flag", len(self.flags))
        self.flags.append((kind.__name__, text))
        found = terms.fold("logical_or", variables, wrong, flag.dtype) if variables else wrong
        store = Store(flag, flag.address(()), found, adds=True)  # once up, it stays up
        self.agenda.nest([], store)

    def _becomes_images(self, step: Equation) -> bool:
        """Tell whether rows of features take the shape of images again, which are read side by side."""
        if not self.elements.split or step.op.name != "reshape":
            return False
        (source,) = step.reads
        old, new = source.spec.shape, step.output.spec.shape
        return len(old) == 2 < len(new) and old[0] == new[0] and not self.elements.spread(source)

    def _write(self, place: int, step: Write) -> None:
        target = self.targets[id(step.target)]
        if 0 in target.shape:
            return
        for value in self._tenants.pop(target, ()):  # they lie where others will from now on
            if self.elements.homes[id(value)] is target and self.reuse.outlives(place, value):
                self.elements.settle(value, self.copy(value))
        space, variables, at = self.space(step.value)
        term = terms.cast(self.elements.of(step.value, at), target.dtype)
        if reads_elsewhere(term, Store(target, target.address(at), term)):
            self.elements.settle(step.value, self.copy(step.value))
            term = terms.cast(self.elements.of(step.value, at), target.dtype)
        self.add_store(space, variables, Store(target, target.address(at), term))
        if step.value.constant is None and id(step.value) not in self.elements.homes:
            self.elements.settle(step.value, target)
            self._tenants.setdefault(target, []).append(step.value)

    def _draw(self, step: Equation) -> None:
        place = self.outside.stream(step)
        state = self._streams.setdefault(
            place, Buffer(f"s{place}", (3,), np.dtype(np.int64), "stream", place)
        )
        home = self.home(step.output)
        kind, (low, high) = step.params["kind"], step.params["numbers"]
        if kind == "integers":
            home.within = (int(low), int(high) - 1)
        draw = Draw(kind, home.count, home.dtype.name, low, high)
        self.agenda.work(draw, [state], [home])
        self.agenda.work(Advance(draw.blocks), [], [state])
        self.elements.settle(step.output, home)

    def _own_loop(self, step: Equation) -> None:
        """Lower what has an order: items added where an array says, and running sums."""
        home = self.home(step.output)
        if step.op.name == "placed":
            self._zeros(home)
            g, *arrays = step.reads
            variables, at = self.elements.loops(g.spec.shape, "o")
            places = looked_up(self.elements, step, arrays, home.shape, at, 0)
            store = Store(home, home.address(places), self.elements.of(g, at), adds=True)
            own = store.place.digits  # else two items may be added to one place at the same time
            serial = [each for each in variables if not (own and store.place.step(each))]
        else:
            variables, store, serial = self._running_sum(step, home)
        if 0 not in step.reads[0].spec.shape:
            self.agenda.nest(variables, store, serial)
        self.elements.settle(step.output, home)

    def _zeros(self, home: Buffer) -> None:
        variables, at = self.elements.loops(home.shape, "o")
        self.agenda.nest(variables, Store(home, home.address(at), terms.held(0, home.dtype)))

    def _running_sum(self, step: Equation, home: Buffer) -> tuple[list[Any], Store, list[Any]]:
        (x,) = step.reads
        shape, axis = x.spec.shape, step.params["axis"]
        variables, at = self.elements.loops(home.shape, "o")
        along, place = (0, unflat(at[0], shape)) if axis is None else (axis % len(shape), at)
        before = (*at[:along], at[along] - 1, *at[along + 1 :])
        total = terms.guard(
            [(at[along], 1, home.shape[along] - 1)],
            terms.load(home, home.address(before)),
            terms.held(0, home.dtype),
        )
        item = terms.cast(self.elements.of(x, place), home.dtype)
        root = apply("add", _X, _Y)
        store = Store(home, home.address(at), terms.apply(root, ("x", "y"), (total, item), home.dtype))
        order = [v for i, v in enumerate(variables) if i != along] + [variables[along]]
        return order, store, [variables[along]]

    def _finish(self) -> None:
        for place, value in enumerate(self.program.results):
            home = self.elements.homes.get(id(value)) if value.constant is None else None
            if home is not None and home.role == "result" and home not in self.results:
                home.place = place
                self.results.append(home)
                continue
            made = Buffer(f"r{place}", value.spec.shape, value.spec.dtype, "result", place)
            self.results.append(made)
            if 0 in value.spec.shape:
                continue
            space, variables, at = self.space(value)
            term = terms.cast(self.elements.of(value, at), made.dtype)
            self.add_store(space, variables, Store(made, made.address(at), term))

    # ---- places in memory ------------------------------------------------------------------------
    def home(self, value: Value, lanes: int = 0) -> Buffer:
        """Return a new buffer for a value: a result's own if the value is one."""
        spec = value.spec
        if not lanes and id(value) in self.reuse.results:
            return Buffer(f"r{value.number}", spec.shape, spec.dtype, "result")
        made = Buffer(f"v{value.number}", spec.shape, spec.dtype, "inner", len(self.inner), lanes)
        self.inner.append(made)
        return made

    def temporary(self, shape: Shape, dtype: np.dtype[Any], lanes: int = 0) -> Buffer:
        """Return a new buffer for what is no value of the program."""
        made = Buffer(f"t{len(self.inner)}", shape, dtype, "inner", len(self.inner), lanes)
        self.inner.append(made)
        return made

    def space(self, value: Value) -> tuple[Space, list[Any], Indices]:
        """Return the index space that a value is computed over: its key, loop variables and indices."""
        spread = len(value.spec.shape) > 1 and self.elements.spread(value)
        variables, at = self.elements.loops(value.spec.shape, "o", spread)
        return space_of(value.spec.shape, spread), variables, at

    def store(self, value: Value) -> Buffer:
        """Compute a value into a buffer of its own and read it from there from now on."""
        space, variables, at = self.space(value)
        lanes = self.elements.split if space[1] and len(value.spec.shape) > 2 else 0
        home = self.home(value, lanes if id(value) not in self.reuse.results else 0)
        term = terms.cast(self.elements.computed(value, at), value.spec.dtype)
        self.add_store(space, variables, Store(home, home.address(at), term))
        self.elements.settle(value, home)
        return home

    def copy(self, value: Value, lanes: int = 0) -> Buffer:
        """Compute a value into a further buffer."""
        space, variables, at = self.space(value)
        if lanes and not space[1]:
            space = space_of(value.spec.shape, True)
            variables, at = self.elements.loops(value.spec.shape, "o", True)
        made = self.temporary(value.spec.shape, value.spec.dtype, lanes)
        term = terms.cast(self.elements.of(value, at), value.spec.dtype)
        self.add_store(space, variables, Store(made, made.address(at), term))
        return made

    def laid_out(self, value: Value, lanes: int = 0) -> Buffer:
        """Return a buffer that holds a value in a layout, a view of another one if that is so."""
        _, at = self.elements.loops(value.spec.shape, "o", bool(lanes))
        seen = self.elements.of(value, at)
        wanted = Buffer("", value.spec.shape, value.spec.dtype, "", lanes=lanes)
        if seen.kind == "load" and seen.data[1] == wanted.address(at) and seen.data[0].count >= wanted.count:
            return seen.data[0]
        home = self.elements.homes.get(id(value))
        found = self._copies.get((id(value), lanes))
        if found is None:
            found = self._copies[id(value), lanes] = self.copy(value, lanes)
            if home is None and value.constant is None:
                self.elements.settle(value, found)
        return found

    def add_store(self, space: Space, variables: Sequence[Any], store: Store) -> None:
        """Add a store over a space; spare lanes beyond the last image are kept at zero."""
        shape, spread = space
        if spread and shape[0] % self.elements.split:
            store = _kept_inside(self.elements, store, shape)
        elif not spread:
            store = self._by_images(variables, store)
        self.agenda.store(space, variables, store)

    def _by_images(self, variables: Sequence[Any], store: Store) -> Store:
        """Let sums over all images add up each image's own: threads share these as they share images.

        Otherwise they would share the places of the sum, and read what others have in their caches.
        """
        found: dict[Term, Term] = {}
        for fold in sums_over_images(store.term):
            block, *own, lane = fold.data[1]
            shape = (block.extent * lane.extent, *(each.extent for each in variables))
            outer, at = self.elements.loops(shape, "o", True)
            places = dict(zip((block, *variables, lane), map(loop, outer), strict=True))
            home = self.temporary(shape, fold.dtype, lane.extent)
            term = terms.fold("add", own, fold.args[0].put(places), fold.dtype)
            self.agenda.store(space_of(shape, True), outer, Store(home, home.address(at), term))
            there = home.address([loop(block) * lane.extent + loop(lane), *map(loop, variables)])
            found[fold] = terms.fold("add", [block, lane], terms.load(home, there), fold.dtype)
        return replace(store, term=terms.replaced(store.term, found)) if found else store


_X, _Y = named("x"), named("y")
_OUTSIDE = apply("logical_or", _X >= _Y, _X < -_Y)


def _summed(step: Equation) -> bool:
    """Tell whether a contraction adds up anything: over an axis of size 0, it is zeros."""
    return all(0 not in value.spec.shape for value in step.reads)


def _kept_inside(elements: Elements, store: Store, shape: Shape) -> Store:
    """Let lanes beyond the last image be zeros, or unwritten where there is no place for them."""
    _, at = elements.loops(shape, "o", True)
    bounds = ((at[0], 0, shape[0] - 1),)
    term = terms.guard(bounds, store.term, terms.held(0, store.term.dtype))
    return Store(store.buffer, store.place, term, None if store.buffer.lanes else bounds[0])
