"""The 8 x 8 digits that scikit-learn carries: the smallest real images, with no download.

They are part of that package; other sets are downloaded (`official`).
"""

from __future__ import annotations

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.splitting import Source
from chainrule.errors import need


def read_digits() -> Source:
    """Return 1,797 grey digits, uint8 (n, 1, 8, 8), their 17 shades stretched to 0..255."""
    datasets = need("sklearn.datasets", for_="the data set 'digits'")
    shades, labels = datasets.load_digits(return_X_y=True)
    pixels = np.rint(shades * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    return Source("digits", Dataset(pixels, labels, tuple(str(digit) for digit in range(10))))
