"""Drawings of a graph: boxes for gates, and on every edge the value and the gradient.

`Drawing` holds what all pictures of one graph share: the tree of its parts, their wiring, and a
layout of each part that is made when it is first opened.
"""

from chainrule.inspect.draw.drawing import Drawing as Drawing
from chainrule.inspect.draw.files import check_format as check_format
from chainrule.inspect.draw.files import save as save
from chainrule.inspect.draw.folding import Fold as Fold
