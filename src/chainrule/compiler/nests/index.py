"""Index: an integer as a function of loop variables, kept simple while it is built.

An index is a number plus multiples of atoms. An atom is a loop variable, an index divided by or
taken modulo a number, or an integer that is read from an array. Ranges are known, so divisions that
come out even disappear, and parts that a reshape took apart are put together again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias


class Atom:
    """A loop variable (`of` None), `of // by`, `of % by`, or a term's integer value."""

    __slots__ = ("by", "free", "high", "kind", "low", "name", "of", "reads")

    def __init__(self, kind: str, name: str, of: Any, by: int, low: int, high: int) -> None:
        self.kind, self.name, self.of, self.by, self.low, self.high = kind, name, of, by, low, high
        self.free: frozenset[Atom] = frozenset([self]) if kind == "variable" else of.free
        # The terms whose integers the atom depends on.
        self.reads: tuple[Any, ...] = () if kind == "variable" else (of,) if kind == "dynamic" else of.reads

    @property
    def extent(self) -> int:
        """How many values a loop variable takes."""
        return self.high + 1

    def __repr__(self) -> str:
        return self.name


Variable: TypeAlias = Atom
_atoms: dict[Any, Atom] = {}
_NOTHING: frozenset[Atom] = frozenset()


def variable(name: str, extent: int) -> Variable:
    """Return the loop variable that runs from 0 below `extent`."""
    return _atom(("variable", name, extent), "variable", name, None, 0, 0, extent - 1)


def dynamic(term: Any, low: int, high: int) -> Index:
    """Return the integer that a term gives, known to lie between `low` and `high` (included)."""
    return _single(_atom(("dynamic", id(term), low, high), "dynamic", "read", term, 0, low, high))


def forget() -> None:
    """Drop all known atoms: between two programs none need be the same."""
    _atoms.clear()
    number.cache_clear()


def _atom(key: Any, kind: str, name: str, of: Any, by: int, low: int, high: int) -> Atom:
    found = _atoms.get(key)
    if found is None:
        found = _atoms[key] = Atom(kind, name, of, by, low, high)
    return found


class Index:
    """`constant` plus the sum of factor * atom; equal indices compare equal."""

    __slots__ = ("_hash", "constant", "free", "high", "low", "reads", "terms")

    def __init__(self, constant: int, terms: Iterable[tuple[Atom, int]]) -> None:
        self.constant, self.terms = constant, tuple(terms)
        low = high = constant
        free: frozenset[Atom] = _NOTHING
        reads: tuple[Any, ...] = ()
        for atom, factor in self.terms:
            if factor > 0:
                low, high = low + factor * atom.low, high + factor * atom.high
            else:
                low, high = low + factor * atom.high, high + factor * atom.low
            free |= atom.free
            reads += atom.reads
        self.low, self.high, self.free, self.reads = low, high, free, reads
        self._hash = hash((constant, self.terms))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and (self.constant, self.terms) == (other.constant, other.terms)

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return self if other == 0 else Index(self.constant + other, self.terms)
        if not other.terms:
            return self + other.constant
        return _sum(self.constant + other.constant, (*self.terms, *other.terms))

    def __sub__(self, other: Index | int) -> Index:
        return self + other * -1

    def __mul__(self, factor: int) -> Index:
        if factor == 1:
            return self
        terms = ((atom, each * factor) for atom, each in self.terms) if factor else ()
        return Index(self.constant * factor, terms)

    def __floordiv__(self, by: int) -> Index:
        if by == 1:
            return self
        whole, rest = self._split(by)
        if rest.low // by == rest.high // by:
            return whole + rest.low // by
        if len(rest.terms) == 1 and rest.terms[0][1] == 1 and not rest.constant:
            atom = rest.terms[0][0]
            if atom.kind == "div":  # (x // a) // b is x // (a * b)
                return whole + atom.of // (atom.by * by)
        low, high = rest.low // by, rest.high // by
        return whole + _single(_atom(("div", rest, by), "div", f"({rest} // {by})", rest, by, low, high))

    def __mod__(self, by: int) -> Index:
        if by == 1:
            return number(0)
        _, rest = self._split(by)
        if rest.low // by == rest.high // by:
            return rest - by * (rest.low // by)
        return _single(_atom(("mod", rest, by), "mod", f"({rest} % {by})", rest, by, 0, by - 1))

    def _split(self, by: int) -> tuple[Index, Index]:
        """Return what is divided evenly, already divided, and the rest."""
        even = [(atom, factor // by) for atom, factor in self.terms if factor % by == 0]
        odd = [(atom, factor) for atom, factor in self.terms if factor % by]
        whole, rest = divmod(self.constant, by)
        return Index(whole, even), Index(rest, odd)

    def step(self, of: Variable) -> int | None:
        """Return by how much the index grows with a variable, or None where that is not constant."""
        found = 0
        for atom, factor in self.terms:
            if atom is of:
                found = factor
            elif of in atom.free:
                return None
        return found

    @property
    def digits(self) -> bool:
        """Tell whether each atom is a digit of its own, so that other values of any give another index."""
        reach = 0
        for atom, factor in sorted(self.terms, key=lambda term: abs(term[1])):
            if atom.high > atom.low and abs(factor) <= reach:
                return False
            reach += abs(factor) * (atom.high - atom.low)
        return True

    def put(self, places: Mapping[Variable, Index]) -> Index:
        """Return the index with variables replaced by other indices."""
        if self.free.isdisjoint(places):
            return self
        total = number(self.constant)
        for atom, factor in self.terms:
            total = total + _put(atom, places) * factor
        return total

    def __repr__(self) -> str:
        parts = [f"{'' if factor == 1 else f'{factor}*'}{atom}" for atom, factor in self.terms]
        parts += [str(self.constant)] if self.constant or not parts else []
        return " + ".join(parts).replace("+ -", "- ")


@lru_cache(maxsize=4096)
def number(value: int) -> Index:
    """Return a known index."""
    return Index(value, ())


def loop(of: Variable) -> Index:
    """Return a loop variable as an index; one that takes a single value is 0."""
    return _single(of) if of.high > 0 else number(0)


def _single(atom: Atom) -> Index:
    return Index(0, ((atom, 1),))


def _put(atom: Atom, places: Mapping[Variable, Index]) -> Index:
    if atom.kind == "variable":
        return places.get(atom) or _single(atom)
    if atom.kind == "dynamic":
        moved = atom.of.put(places)
        return dynamic(moved, atom.low, atom.high)
    moved = atom.of.put(places)
    return moved // atom.by if atom.kind == "div" else moved % atom.by


def _sum(constant: int, terms: Iterable[tuple[Atom, int]]) -> Index:
    factors: dict[Atom, int] = {}
    for atom, factor in terms:
        factors[atom] = factors.get(atom, 0) + factor
    while _joined(factors):
        pass
    kept = sorted(((a, f) for a, f in factors.items() if f), key=lambda pair: (pair[0].name, -pair[1]))
    return Index(constant, kept)


def _joined(factors: dict[Atom, int]) -> bool:
    """Replace f * b * (x // b) + f * (x % b) by f * x, once; tell whether it was found."""
    for rest, factor in factors.items():
        if rest.kind != "mod" or not factor or rest.of.constant:
            continue
        whole = rest.of // rest.by
        if whole.constant or len(whole.terms) != 1 or whole.terms[0][1] != 1:
            continue
        quotient = whole.terms[0][0]
        if factors.get(quotient) == factor * rest.by:
            del factors[quotient], factors[rest]
            for atom, each in rest.of.terms:
                factors[atom] = factors.get(atom, 0) + each * factor
            return True
    return False
