"""IR: LLVM's language as text, and a builder that writes it.

As much of it as the kernels use. llvmlite has a larger one, with which the kernels of a program
take three times as long to write. Whether the text makes sense is for LLVM to find out.
"""

from chainrule.compiler.cpu.ir.builder import Builder as Builder
from chainrule.compiler.cpu.ir.module import Block as Block
from chainrule.compiler.cpu.ir.module import Function as Function
from chainrule.compiler.cpu.ir.module import Module as Module
from chainrule.compiler.cpu.ir.module import Table as Table
from chainrule.compiler.cpu.ir.values import BIT as BIT
from chainrule.compiler.cpu.ir.values import I32 as I32
from chainrule.compiler.cpu.ir.values import UNDEFINED as UNDEFINED
from chainrule.compiler.cpu.ir.values import ArrayType as ArrayType
from chainrule.compiler.cpu.ir.values import Constant as Constant
from chainrule.compiler.cpu.ir.values import DoubleType as DoubleType
from chainrule.compiler.cpu.ir.values import FloatType as FloatType
from chainrule.compiler.cpu.ir.values import FunctionType as FunctionType
from chainrule.compiler.cpu.ir.values import IntType as IntType
from chainrule.compiler.cpu.ir.values import Phi as Phi
from chainrule.compiler.cpu.ir.values import PointerType as PointerType
from chainrule.compiler.cpu.ir.values import Slot as Slot
from chainrule.compiler.cpu.ir.values import Type as Type
from chainrule.compiler.cpu.ir.values import Value as Value
from chainrule.compiler.cpu.ir.values import VectorType as VectorType
from chainrule.compiler.cpu.ir.values import VoidType as VoidType
from chainrule.compiler.cpu.ir.values import like as like
