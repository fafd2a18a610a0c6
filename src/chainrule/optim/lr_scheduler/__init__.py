"""Schedules: how the rate changes from epoch to epoch, or from iteration to iteration.

PyTorch's class names, arguments and values. A schedule is a function of the count of its steps, not
of the rate before, so that it can be read, plotted and resumed anywhere.
"""

from chainrule.errors import missing_name
from chainrule.optim.lr_scheduler.cycle import OneCycleLR as OneCycleLR
from chainrule.optim.lr_scheduler.decay import CosineAnnealingLR as CosineAnnealingLR
from chainrule.optim.lr_scheduler.decay import ExponentialLR as ExponentialLR
from chainrule.optim.lr_scheduler.decay import LambdaLR as LambdaLR
from chainrule.optim.lr_scheduler.decay import LinearLR as LinearLR
from chainrule.optim.lr_scheduler.decay import MultiStepLR as MultiStepLR
from chainrule.optim.lr_scheduler.decay import StepLR as StepLR
from chainrule.optim.lr_scheduler.plateau import ReduceLROnPlateau as ReduceLROnPlateau
from chainrule.optim.lr_scheduler.schedule import LRScheduler as LRScheduler
from chainrule.optim.lr_scheduler.sequence import SequentialLR as SequentialLR


def __getattr__(name: str) -> object:
    raise missing_name("optim.lr_scheduler", name, globals())
