"""`chainrule.nn`: layers and networks, under PyTorch's names and with its arguments.

A network is a tree of modules. What the layers compute are ops, found in `nn.functional`; how their
weights start is in `nn.init`. Names from elsewhere are answered with the right one.
"""

from chainrule.errors import missing_name
from chainrule.nn import functional as functional
from chainrule.nn import init as init
from chainrule.nn.activations import ELU as ELU
from chainrule.nn.activations import GELU as GELU
from chainrule.nn.activations import SELU as SELU
from chainrule.nn.activations import LeakyReLU as LeakyReLU
from chainrule.nn.activations import LogSoftmax as LogSoftmax
from chainrule.nn.activations import PReLU as PReLU
from chainrule.nn.activations import ReLU as ReLU
from chainrule.nn.activations import Sigmoid as Sigmoid
from chainrule.nn.activations import SiLU as SiLU
from chainrule.nn.activations import Softmax as Softmax
from chainrule.nn.activations import Softplus as Softplus
from chainrule.nn.activations import Tanh as Tanh
from chainrule.nn.affine import Embedding as Embedding
from chainrule.nn.affine import Linear as Linear
from chainrule.nn.affine import Maxout as Maxout
from chainrule.nn.containers import ModuleList as ModuleList
from chainrule.nn.containers import Sequential as Sequential
from chainrule.nn.convolution import Conv1d as Conv1d
from chainrule.nn.convolution import Conv2d as Conv2d
from chainrule.nn.dropping import Dropout as Dropout
from chainrule.nn.dropping import Dropout2d as Dropout2d
from chainrule.nn.dropping import StochasticDepth as StochasticDepth
from chainrule.nn.habits import HABITS as _HABITS
from chainrule.nn.loss import BCELoss as BCELoss
from chainrule.nn.loss import BCEWithLogitsLoss as BCEWithLogitsLoss
from chainrule.nn.loss import CrossEntropyLoss as CrossEntropyLoss
from chainrule.nn.loss import HingeLoss as HingeLoss
from chainrule.nn.loss import HuberLoss as HuberLoss
from chainrule.nn.loss import L1Loss as L1Loss
from chainrule.nn.loss import MSELoss as MSELoss
from chainrule.nn.loss import MultiMarginLoss as MultiMarginLoss
from chainrule.nn.loss import NLLLoss as NLLLoss
from chainrule.nn.loss import SmoothL1Loss as SmoothL1Loss
from chainrule.nn.module import Module as Module
from chainrule.nn.normalization import BatchNorm1d as BatchNorm1d
from chainrule.nn.normalization import BatchNorm2d as BatchNorm2d
from chainrule.nn.normalization import LayerNorm as LayerNorm
from chainrule.nn.outline import summary as summary
from chainrule.nn.parameter import Parameter as Parameter
from chainrule.nn.pooling import AdaptiveAvgPool2d as AdaptiveAvgPool2d
from chainrule.nn.pooling import AvgPool1d as AvgPool1d
from chainrule.nn.pooling import AvgPool2d as AvgPool2d
from chainrule.nn.pooling import FractionalMaxPool2d as FractionalMaxPool2d
from chainrule.nn.pooling import MaxPool1d as MaxPool1d
from chainrule.nn.pooling import MaxPool2d as MaxPool2d
from chainrule.nn.shape import Flatten as Flatten
from chainrule.nn.shape import Identity as Identity


def __getattr__(name: str) -> object:
    known = [each for each in globals() if each[0].isupper()]
    hint = f"here it is {_HABITS[name]}" if name in _HABITS else ""
    raise missing_name("nn", name, [*known, "functional", "init", "summary"], hint)
