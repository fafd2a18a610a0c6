"""Prediction of one sample: what a service waits for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks import peers
from benchmarks.convs import LENET5
from benchmarks.crew import ContenderError, Crew
from benchmarks.mlps import mlp
from benchmarks.nets import Net
from benchmarks.timing import Options, Row
from benchmarks.training import agree

NETS = (mlp(784, 128, 10), LENET5)


def sample(net: Net) -> np.ndarray:
    """Return the one sample, as a batch."""
    return np.random.default_rng(3).normal(size=(1, *net.shape)).astype(np.float32)


def rows(options: Options) -> Iterator[Row]:
    """Yield a row a net; the logarithms of the probabilities must agree to 1e-5."""
    wanted = [net for net in NETS if options.wants("predict", net.name)]
    able = [
        name
        for name in peers.PEERS
        if options.wants_peer(name)
        and not peers.missing(name)
        and not (options.smoke and name == "torch.compile")
    ]
    for threads in options.threads if wanted else ():
        with Crew((n for n in able if "sample" in peers.PEERS[n].runs), threads) as crew:
            for net in wanted:
                present = [name for name in able if peers.fits(name, "sample", net)]
                try:
                    yield _measured(net, present, crew, options)
                except (ContenderError, AssertionError) as error:
                    yield Row("predict", net.name, threads=threads, failure=str(error))


def _measured(net: Net, present: list[str], crew: Crew, options: Options) -> Row:
    crew.ask(present, "predict", row=net.name)
    agree(crew.ask(present, "scores"))
    return crew.measure(Row("predict", net.name, flops=sum(net.flops)), present, "sample", 1, options)
