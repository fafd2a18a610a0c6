"""The native order of an epoch is the one of `core/stream.py`, ties and the stream's state included."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from chainrule.compiler.cpu import shuffle
from chainrule.compiler.cpu.shuffle import permutation
from chainrule.core.stream import Stream


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9, 1023, 1024, 1025, 4097, 100_003])
def test_same_order_and_same_state(count):
    for seed, counter in ((0, 0), (7, 5), (2**63 + 1, 2**64 - 3)):
        one, two = Stream(seed, 11), Stream(seed, 11)
        one.counter = two.counter = counter
        np.testing.assert_array_equal(permutation(two, count), one.permutation(count))
        assert two.state == one.state


def test_threads_that_shuffle_before_there_is_a_function():
    """Each of them may make it; what one makes must not be unloaded under another's feet."""
    wanted = Stream(3, 1).permutation(50_000)
    for _ in range(10):
        shuffle._function.cache_clear()
        with ThreadPoolExecutor(6) as workers:
            for found in workers.map(lambda _: permutation(Stream(3, 1), 50_000), range(6)):
                np.testing.assert_array_equal(found, wanted)
