"""What a formula tells of one use of an op; each family of ops has a kind of its own.

This is the plainest kind, for ops of which only the call is known: the call in symbols, the call
with numbers. Families override what they can say better.
"""

from __future__ import annotations

from chainrule.inspect.explain.formulas.use import Place, Use
from chainrule.inspect.explain.style import Style, at


class Formula:
    """The formulas of a use, in symbols and with numbers, forward and backward."""

    def __init__(self, use: Use) -> None:
        self.use = use

    @property
    def symbols(self) -> str:
        """The meaning in symbols, with the names of this graph."""
        return f"{self.use.output} = {self.use.call}"

    @property
    def tex(self) -> str:
        """The meaning as TeX; '' where there is no formula but a call."""
        return ""

    def numbers(self, style: Style, place: Place) -> str:
        """The meaning with numbers filled in: all of them if small, else those of one element."""
        use = self.use
        if use.op is None or not style.fits(*use.arrays, use.value):
            return ""
        filled = ", ".join(style.array(array) for array in use.arrays)
        return f"{use.op.name}({filled}) = {style.array(use.value)}"

    def of(self, place: Place) -> str:
        """Return 'name[0, 3] = ' before what is worked out for one element; '' if there is only one."""
        return f"{self.use.output}{at(place)} = " if place else ""

    def slope(self, i: int) -> str:
        """The local gradient by input i in symbols; '' where only its numbers are known."""
        return ""

    def slope_numbers(self, i: int, style: Style, place: Place) -> str:
        """The local gradient by input i with numbers filled in, up to its own value; '' likewise."""
        return ""

    def back(self, i: int) -> str:
        """How input i gets its gradient from upstream, in symbols."""
        return "upstream @ local"
