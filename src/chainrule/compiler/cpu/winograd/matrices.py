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

_FINITE = tuple(Fraction(*each) for each in ((0, 1), (2, 3), (-2, 3), (3, 2), (-3, 2)))
POINTS = len(_FINITE) + 1  # at most; the last one is infinity

Matrix = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True)
class Matrices:
    """What turns inputs and `taps` weights into products, one a point, and these into `outputs` sums.

    One output and one tap have one point: numbers stay as they are.
    """

    outputs: int
    taps: int

    def __post_init__(self) -> None:
        if not 1 <= self.points <= POINTS:
            raise ValueError(
                f"{self.outputs} outputs of {self.taps} taps need {self.points} points of {POINTS}"
            )

    @property
    def points(self) -> int:
        """The number of products: as many as there are inputs."""
        return self.outputs + self.taps - 1

    @property
    def turned(self) -> Matrices:
        """As many sums as there were taps, each over as many products of numbers as there were outputs."""
        return Matrices(self.taps, self.outputs)

    @property
    def values_in(self) -> Matrix:
        """Points x points, for the inputs: row p is the polynomial that is zero at all other points."""
        finite = self._finite
        rows = [_polynomial([root for root in finite if root != point]) for point in finite]
        return (*((*row, Fraction(0)) for row in rows), _polynomial(finite))

    @property
    def taps_in(self) -> Matrix:
        """Points x taps, for the weights: their polynomial at each point, by what `values_in` is there."""
        finite = self._finite
        scales = [prod(point - root for root in finite if root != point) for point in finite]
        rows = [
            tuple(point**power / scale for power in range(self.taps))
            for point, scale in zip(finite, scales, strict=True)
        ]
        return (*rows, _last(self.taps))

    @property
    def back(self) -> Matrix:
        """Outputs x points, for the products."""
        last = _last(self.outputs)
        return tuple(
            (*(point**power for point in self._finite), last[power]) for power in range(self.outputs)
        )

    @property
    def _finite(self) -> tuple[Fraction, ...]:
        return _FINITE[: self.points - 1]


def _last(size: int) -> tuple[Fraction, ...]:
    return (*(Fraction(0),) * (size - 1), Fraction(1))


def _polynomial(roots: tuple[Fraction, ...] | list[Fraction]) -> tuple[Fraction, ...]:
    """Return the coefficients of the polynomial with these roots, the constant first."""
    found = [Fraction(1)]
    for root in roots:
        found = [a - root * b for a, b in zip([Fraction(0), *found], [*found, Fraction(0)], strict=True)]
    return tuple(found)
