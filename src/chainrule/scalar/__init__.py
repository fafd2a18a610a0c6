"""The language of what happens to ONE number: expressions, their derivatives, and their printing.

Op bodies are written in these functions. The package knows no tensors, shapes or graphs.
"""

from chainrule.scalar.derive import partials as partials
from chainrule.scalar.expr import Expr as Expr
from chainrule.scalar.expr import constant as constant
from chainrule.scalar.expr import variable as variable
from chainrule.scalar.expr import variables as variables
from chainrule.scalar.functions import FUNCTIONS as FUNCTIONS
from chainrule.scalar.functions import absolute as absolute
from chainrule.scalar.functions import arctan2 as arctan2
from chainrule.scalar.functions import bitwise_and as bitwise_and
from chainrule.scalar.functions import bitwise_or as bitwise_or
from chainrule.scalar.functions import bitwise_xor as bitwise_xor
from chainrule.scalar.functions import cast as cast
from chainrule.scalar.functions import ceil as ceil
from chainrule.scalar.functions import cos as cos
from chainrule.scalar.functions import equal as equal
from chainrule.scalar.functions import erf as erf
from chainrule.scalar.functions import exp as exp
from chainrule.scalar.functions import expm1 as expm1
from chainrule.scalar.functions import floor as floor
from chainrule.scalar.functions import floor_divide as floor_divide
from chainrule.scalar.functions import invert as invert
from chainrule.scalar.functions import isfinite as isfinite
from chainrule.scalar.functions import isinf as isinf
from chainrule.scalar.functions import isnan as isnan
from chainrule.scalar.functions import log as log
from chainrule.scalar.functions import log1p as log1p
from chainrule.scalar.functions import logical_and as logical_and
from chainrule.scalar.functions import logical_not as logical_not
from chainrule.scalar.functions import logical_or as logical_or
from chainrule.scalar.functions import logical_xor as logical_xor
from chainrule.scalar.functions import maximum as maximum
from chainrule.scalar.functions import minimum as minimum
from chainrule.scalar.functions import not_equal as not_equal
from chainrule.scalar.functions import remainder as remainder
from chainrule.scalar.functions import rint as rint
from chainrule.scalar.functions import select as select
from chainrule.scalar.functions import sign as sign
from chainrule.scalar.functions import sin as sin
from chainrule.scalar.functions import sqrt as sqrt
from chainrule.scalar.functions import square as square
from chainrule.scalar.functions import tanh as tanh
from chainrule.scalar.tex import tex as tex
from chainrule.scalar.tex import text as text
