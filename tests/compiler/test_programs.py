"""Small programs from end to end: their text at the last stages, and code that stays in its buffers.

The golden files hold the program after the last pass and its loop nests. A difference is to be read;
`CHAINRULE_GOLDEN=write pytest tests/compiler/test_programs.py` accepts it.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tests.compiler.guarded import run_guarded
from tests.compiler.programs import PROGRAMS

import chainrule as cr

GOLDEN = Path(__file__).parent / "golden"


def prepared(name):
    build, arrays = PROGRAMS[name]
    compiled = cr.compile(build())
    compiled(*arrays)
    return compiled, arrays


@pytest.mark.parametrize("name", PROGRAMS)
def test_golden(name):
    compiled, _ = prepared(name)
    text = f"{compiled.program}\n\n{compiled.source('nests')}\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("CHAINRULE_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", PROGRAMS)
def test_code_stays_in_its_buffers(name):
    """Each buffer lies between protected pages: one byte too far ends the process."""
    step = prepared(name)[0]._latest.step
    for at_end in (True, False):
        run_guarded(step, at_end=at_end)


@pytest.mark.parametrize("forced", ["avx2", "sse"])
def test_lesser_processors(forced, monkeypatch):
    expected = {name: PROGRAMS[name][0]()(*map(cr.tensor, PROGRAMS[name][1])) for name in PROGRAMS}
    monkeypatch.setenv("CHAINRULE_TARGET", forced)
    for name, (build, arrays) in PROGRAMS.items():
        cr.random.seed(0)
        found = cr.compile(build())(*arrays)
        if name != "dropout":
            np.testing.assert_allclose(found.data, expected[name].data, rtol=2e-5, atol=1e-6, err_msg=name)


def test_what_readers_take_from_registers_is_not_stored():
    """`kept` is worth a place for its three readers, but they all stand in its nest."""

    def chain(x):
        kept = cr.exp(x)
        return kept * cr.sin(kept) + kept / 2

    step = cr.compile(chain)
    step(cr.ones(1000))
    assert step.table().splitlines()[-1].endswith(" 0 bytes of memory")
