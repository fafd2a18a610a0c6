"""How long a compiled step keeps its user waiting: cold, and from the cache of an earlier process.

Every measurement is a process of its own. Libraries are imported, data and net are made; then the
clock runs over the first two steps, and two later ones are taken off. So it is everything that a
first call has to do: importing what compiles, tracing, compiling, loading. Cold: the folder of the
cache is empty. Cached: the same in a second process, with what the first has left in the folder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks import convs, mlps, peers
from benchmarks.crew import ContenderError, alone
from benchmarks.nets import Training
from benchmarks.timing import OURS, Options, Row, in_turn

CONTENDERS = (OURS, "torch.compile", "jax")
TRAININGS = (mlps.TRAININGS[4], convs.TRAININGS[0], convs.TRAININGS[2], convs.TRAININGS[3])
ROUNDS = 3  # a process takes seconds, and the noise of an import is small against them


def rows(options: Options) -> Iterator[Row]:
    """Yield for each net a row for the cold compilation and one for that from the cache."""
    present = [name for name in CONTENDERS if options.wants_peer(name) and not peers.missing(name)]
    if options.smoke:
        present = [name for name in present if name == OURS]
    for training in TRAININGS:
        if any(options.wants("compile", f"{kind} {training.name}") for kind in ("cold", "cached")):
            try:
                yield from _measured(training, present, options)
            except ContenderError as error:
                yield Row("compile", training.name, failure=str(error))


def _measured(training: Training, present: list[str], options: Options) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        taken: dict[str, int] = dict.fromkeys(present, 0)

        def turn(name: str, kind: str) -> float:
            taken[name] += kind == "cold"
            cache = Path(folder) / f"{name}-{taken[name]}"  # no space: C++ compilers are called with it
            cache.mkdir(exist_ok=True)
            threads = max(options.threads)
            return alone(name, threads, _caches(cache), "first", row=training.name, smoke=options.smoke)

        turns: dict[str, Callable[[], float]] = {
            f"{kind} {name}": partial(turn, name, kind) for name in present for kind in ("cold", "cached")
        }
        found = in_turn(turns, 1 if options.smoke else ROUNDS)
    for kind in ("cold", "cached"):
        figures = {name: found[f"{kind} {name}"] for name in present}
        yield Row("compile", f"{kind} {training.name}", figures, max(options.threads))


def _caches(folder: Path) -> dict[str, str]:
    """Return the variables that put every cache into a folder, and let it keep everything."""
    return {
        "CHAINRULE_CACHE": str(folder),
        "TORCHINDUCTOR_CACHE_DIR": str(folder),
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
