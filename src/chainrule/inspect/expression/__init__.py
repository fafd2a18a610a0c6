"""Expressions as one writes them on a blackboard: read, never evaluated as Python.

    1 / (1 + exp(-(w0*x0 + w1*x1 + w2)))

Numbers, names, `+ - * / @ **`, brackets, nested lists, and calls of the library's own ops, with
settings such as `axis=0`.
"""

from chainrule.inspect.expression.expression import Expression as Expression
from chainrule.inspect.expression.expression import read_value as read_value
from chainrule.inspect.expression.functions import functions as functions
from chainrule.inspect.expression.node import ExpressionError as ExpressionError
