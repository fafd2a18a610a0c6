"""Random numbers: Philox's published answers, and what is made of them."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.core.stream import Stream, philox
from chainrule.errors import ArgumentError

# Known answers of the authors' library Random123 (kat_vectors, philox4x32 10).
ONES = 2**64 - 1


@pytest.mark.parametrize(
    ("counter", "stream", "key", "words"),
    [
        (0, 0, 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (ONES, ONES, ONES, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (0x85A308D3243F6A88, 0x0370734413198A2E, 0x299F31D0A4093822, "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_published_answers(counter, stream, key, words):
    assert [f"{word:08x}" for word in philox(key, counter, 1, stream)] == words.split()


def test_chunks_make_no_difference():
    whole = philox(5, 3, 20_000, 7)
    np.testing.assert_array_equal(
        whole, np.concatenate([philox(5, 3 + k, 1000, 7) for k in range(0, 20_000, 1000)])
    )


def test_a_stream_goes_on_from_its_state():
    stream = Stream(3, 4)
    stream.normal((5,))
    state = stream.state
    expected = stream.uniform((7,)), stream.permutation(9)
    other = Stream()
    other.state = state
    np.testing.assert_array_equal(other.uniform((7,)), expected[0])
    np.testing.assert_array_equal(other.permutation(9), expected[1])
    assert not np.array_equal(Stream(3, 5).bits(8), Stream(3, 4).bits(8))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_distributions(dtype):
    stream = Stream(11)
    unit = stream.uniform((200_000,), -1.0, 3.0, dtype)
    assert unit.dtype == dtype and unit.min() >= -1 and unit.max() < 3
    np.testing.assert_allclose([unit.mean(), unit.var()], [1.0, 16 / 12], atol=0.01)
    normal = stream.normal((200_001,), 1.0, 2.0, dtype)
    centred = (normal - 1) / 2
    np.testing.assert_allclose([np.mean(centred**k) for k in (1, 2, 3, 4)], [0, 1, 0, 3], atol=0.05)
    assert stream.uniform((0, 3), dtype=dtype).shape == (0, 3)


def test_integers_and_permutations():
    stream = Stream(2)
    drawn = stream.integers(-2, 3, (50_000,))
    np.testing.assert_allclose(np.bincount(drawn + 2) / 50_000, 0.2, atol=0.01)
    np.testing.assert_array_equal(np.sort(stream.permutation(1000)), np.arange(1000))
    firsts = [Stream(seed).permutation(4)[0] for seed in range(2000)]
    np.testing.assert_allclose(np.bincount(firsts) / 2000, 0.25, atol=0.04)


@pytest.mark.parametrize("state", [(-1, 0, 0), (0, 2**64, 0), (1, 2), "abc", (0, 0, None)])
def test_wrong_states(state):
    with pytest.raises(ArgumentError):
        Stream().state = state


def test_a_half_open_interval_excludes_its_end():
    assert Stream(0).uniform((300_000,), 1.0, 1.0 + 2**-23).max() == 1.0
