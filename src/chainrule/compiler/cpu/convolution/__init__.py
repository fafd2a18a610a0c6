"""Convolutions as native kernels: forward, gradient of the input and gradient of the weights."""

from chainrule.compiler.cpu.convolution.geometry import Geometry
from chainrule.compiler.cpu.convolution.kernels import Forward, InputGradient, WeightGradient

__all__ = ["Forward", "Geometry", "InputGradient", "WeightGradient"]
