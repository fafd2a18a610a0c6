"""Matrices: how few products give several neighbouring sums of a sliding window.

Sums y[i] = sum_j x[i + j] w[j] are `back` ((`taps_in` w) * (`values_in` x)), where * multiplies
number by number: as many products as there are points, not outputs times taps. The points are where
polynomials are evaluated; +-2/3 and +-3/2 keep the numbers close to each other, so that rounding
costs little more than without all this. Sources: Winograd 1980, "Arithmetic Complexity of
Computations"; Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks"; Barabasz et
al. 2020, "Error Analysis and Improving the Accuracy of Winograd Convolution" (on the choice of points).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

FINITE = tuple(Fraction(*each) for each in ((0, 1), (2, 3), (-2, 3), (3, 2), (-3, 2)))
POINTS = len(FINITE) + 1  # and infinity

Matrix = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True)
class Matrices:
    """What turns POINTS inputs and `taps` weights into products, and these into `outputs` sums."""

    outputs: int
    taps: int

    def __post_init__(self) -> None:
        if self.outputs + self.taps - 1 != POINTS:
            raise ValueError(f"{self.outputs} outputs and {self.taps} taps do not meet {POINTS} inputs")

    @property
    def values_in(self) -> Matrix:
        """POINTS x POINTS, for the inputs: row p is the polynomial that is zero at all other points."""
        rows = [_polynomial([root for root in FINITE if root != point]) for point in FINITE]
        return (*((*row, Fraction(0)) for row in rows), _polynomial(FINITE))

    @property
    def taps_in(self) -> Matrix:
        """POINTS x taps, for the weights: their polynomial at each point, by what `values_in` is there."""
        scales = [prod(point - root for root in FINITE if root != point) for point in FINITE]
        rows = [
            tuple(point**power / scale for power in range(self.taps))
            for point, scale in zip(FINITE, scales, strict=True)
        ]
        return (*rows, _last(self.taps))

    @property
    def back(self) -> Matrix:
        """Outputs x POINTS, for the products."""
        last = _last(self.outputs)
        return tuple((*(point**power for point in FINITE), last[power]) for power in range(self.outputs))


def _last(size: int) -> tuple[Fraction, ...]:
    return (*(Fraction(0),) * (size - 1), Fraction(1))


def _polynomial(roots: tuple[Fraction, ...] | list[Fraction]) -> tuple[Fraction, ...]:
    """Return the coefficients of the polynomial with these roots, the constant first."""
    found = [Fraction(1)]
    for root in roots:
        found = [a - root * b for a, b in zip([Fraction(0), *found], [*found, Fraction(0)], strict=True)]
    return tuple(found)
