"""The ops, declared: each file holds one kind, each op is one decorated function.

Importing the package fills the registry with the ops of arrays. Those of networks alone (activation,
affine, loss, norm, pool, window) come with `chainrule.nn`, so that `import chainrule` stays quick. Engine
code does not live here.
"""

from chainrule.ops import arithmetic as arithmetic
from chainrule.ops import compare as compare
from chainrule.ops import create as create
from chainrule.ops import elementary as elementary
from chainrule.ops import index as index
from chainrule.ops import linear as linear
from chainrule.ops import protocol as protocol
from chainrule.ops import random as random
from chainrule.ops import reduce as reduce
from chainrule.ops import shape as shape
