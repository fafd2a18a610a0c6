"""The engine: tensors, ops and their families, the reverse sweep, and functions of functions.

It declares no op and knows no target; `chainrule.ops` fills the registry, other packages read it.
"""
