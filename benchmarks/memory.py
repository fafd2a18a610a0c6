"""How much memory training takes: ResNet-20 at batch 128.

In a fresh process, libraries imported, data and net made: by how much the memory that the process
holds is larger at its peak in the first three steps. What compiling needs is part of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks import convs, peers
from benchmarks.crew import ContenderError, alone
from benchmarks.timing import Options, Row, in_turn

TRAINING = convs.TRAININGS[3]
ROUNDS = 3


def rows(options: Options) -> Iterator[Row]:
    """Yield the one row."""
    if not options.wants("memory", TRAINING.name):
        return
    threads = max(options.threads)
    present = [
        name
        for name in peers.PEERS
        if options.wants_peer(name)
        and not peers.missing(name)
        and peers.fits(name, "step", TRAINING.net, TRAINING)
        and not (options.smoke and name == "torch.compile")
    ]
    ask = partial(alone, threads=threads, more={}, do="memory", row=TRAINING.name, smoke=options.smoke)
    try:
        turns = {name: partial(ask, name) for name in present}
        figures = in_turn(turns, 1 if options.smoke else ROUNDS)
    except ContenderError as error:
        yield Row("memory", TRAINING.name, failure=str(error))
    else:
        yield Row("memory", TRAINING.name, figures, threads, unit="bytes")
