"""Products of matrices as kernels, each made for its own sizes and strides.

`kernel` says what is computed, `plan` decides how (what fills the lanes, tiles, packing), `tile`
writes the innermost loops, `pack` the copies, and `driver` the walk over the tiles.
"""

from chainrule.compiler.cpu.product.kernel import Product
from chainrule.compiler.cpu.product.matrix import Finish, Matrix, Store

__all__ = ["Finish", "Matrix", "Product", "Store"]
