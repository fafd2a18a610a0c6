"""Optimisers, schedules, penalties and searches: how training changes parameters.

Names, arguments and update rules are PyTorch's where PyTorch has them. The package knows parameters
and their gradients; modules and data it does not know.
"""

from chainrule.errors import missing_name
from chainrule.optim import lr_scheduler as lr_scheduler
from chainrule.optim.adagrad import Adagrad as Adagrad
from chainrule.optim.adam import Adam as Adam
from chainrule.optim.adam import AdamW as AdamW
from chainrule.optim.clipping import clip_grad_norm_ as clip_grad_norm_
from chainrule.optim.clipping import clip_grad_value_ as clip_grad_value_
from chainrule.optim.optimizer import Optimizer as Optimizer
from chainrule.optim.penalty import L1 as L1
from chainrule.optim.penalty import L2 as L2
from chainrule.optim.penalty import ElasticNet as ElasticNet
from chainrule.optim.penalty import Penalty as Penalty
from chainrule.optim.rmsprop import RMSprop as RMSprop
from chainrule.optim.search import NumericalGradientDescent as NumericalGradientDescent
from chainrule.optim.search import RandomSearch as RandomSearch
from chainrule.optim.sgd import SGD as SGD


def __getattr__(name: str) -> object:
    raise missing_name("optim", name, globals())
