"""chainrule: a glass-box neural-network library.

`import chainrule as cr` gives tensors, NumPy-named functions that record gradients, and the
transformations `grad`, `vjp`, `jacobian` and `hessian`; networks are in `cr.nn`, optimisers in
`cr.optim`. This file holds the public names and nothing else.
"""

from chainrule import ops as ops
from chainrule.core.mode import enable_grad as enable_grad
from chainrule.core.mode import no_grad as no_grad
from chainrule.core.numerical import check_grads as check_grads
from chainrule.core.numerical import numerical_gradient as numerical_gradient
from chainrule.core.tensor import Tensor as Tensor
from chainrule.core.transform import grad as grad
from chainrule.core.transform import hessian as hessian
from chainrule.core.transform import jacobian as jacobian
from chainrule.core.transform import value_and_grad as value_and_grad
from chainrule.core.transform import vjp as vjp
from chainrule.ops import random as random
from chainrule.ops.create import tensor as tensor
