"""Features of images made by hand: colour histograms, histograms of oriented gradients, both joined.

`color_histogram` and `hog` are functions of whole batches; `ColorHistogram`, `HOG` and
`Concatenate` are the same as transformers that scikit-learn can clone, search and pipe. Arrays
in, arrays out: tensors and models are unknown on this floor.
"""

from __future__ import annotations

from chainrule.errors import missing_name
from chainrule.features.concatenate import Concatenate
from chainrule.features.extractors import HOG, ColorHistogram
from chainrule.features.histogram import color_histogram
from chainrule.features.hog import hog

__all__ = ["HOG", "ColorHistogram", "Concatenate", "color_histogram", "hog"]


def __getattr__(name: str) -> object:
    raise missing_name("chainrule.features", name, __all__)
