"""The compiler: functions traced into programs, improved by passes, and run without the engine."""

from chainrule.compiler.jit import Compiled as Compiled
from chainrule.compiler.jit import compile as compile
