"""The six families of ops: each derives value, spec, gradient and formula from a kind of meaning."""

from chainrule.core.families.composite import Composite as Composite
from chainrule.core.families.composite import composite as composite
from chainrule.core.families.contraction import Contraction as Contraction
from chainrule.core.families.contraction import contraction as contraction
from chainrule.core.families.elementwise import Elementwise as Elementwise
from chainrule.core.families.elementwise import elementwise as elementwise
from chainrule.core.families.movement import Movement as Movement
from chainrule.core.families.movement import movement as movement
from chainrule.core.families.opaque import Opaque as Opaque
from chainrule.core.families.opaque import opaque as opaque
from chainrule.core.families.reduction import Reduction as Reduction
from chainrule.core.families.reduction import reduction as reduction
