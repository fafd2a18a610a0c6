"""Formulas of one use of an op, in symbols and with numbers filled in, forward and backward.

`formula_of` chooses the kind by the family of the op. A formula knows no gate and no gradient.
"""

from chainrule.inspect.explain.formulas.families import formula_of as formula_of
from chainrule.inspect.explain.formulas.formula import Formula as Formula
from chainrule.inspect.explain.formulas.use import Use as Use
