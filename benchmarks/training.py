"""Rows of training: first all contenders must agree, then they are timed, by steps and by epochs.

Ten steps from the same weights on the same batches, and an epoch of ten more, must give losses that
differ by less than 1e-5 of their size. What drops at random drops nothing in this comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks import peers
from benchmarks.crew import ContenderError, Crew
from benchmarks.nets import Training
from benchmarks.timing import OURS, Options, Row

TOLERANCE = 1e-5
SMOKED = "784-100-10, batch 64"  # the one row of a smoke run for which torch.compile has time


def rows(group: str, trainings: Sequence[Training], runs: Sequence[str], options: Options) -> Iterator[Row]:
    """Yield the rows of some trainings, for each number of threads."""
    wanted = [each for each in trainings if any(options.wants(group, f"{run} {each.name}") for run in runs)]
    if not wanted:
        return
    for threads in options.threads:
        able = [name for name in peers.PEERS if options.wants_peer(name) and not peers.missing(name)]
        able = [name for name in able if any(_takes_part(name, runs, each) for each in wanted)]
        with Crew(able, threads) as crew:
            for training in wanted:
                try:
                    yield from _measured(group, training, runs, crew, options)
                except (ContenderError, AssertionError) as error:
                    yield Row(group, training.name, threads=threads, failure=str(error))


def _takes_part(name: str, runs: Sequence[str], training: Training) -> bool:
    return any(peers.fits(name, run, training.net, training) for run in runs)


def _notes(training: Training, runs: Sequence[str], options: Options) -> dict[str, str]:
    """Return who could take part and does not, and why."""
    wanted = [name for name in peers.PEERS if options.wants_peer(name) and _takes_part(name, runs, training)]
    notes = {name: peers.missing(name) for name in wanted if peers.missing(name)}
    if options.smoke and training.name != SMOKED and "torch.compile" in wanted:
        notes.setdefault("torch.compile", "compiles too slowly for a smoke run")
    return notes


def _measured(
    group: str, training: Training, runs: Sequence[str], crew: Crew, options: Options
) -> Iterator[Row]:
    notes = _notes(training, runs, options)
    present = [name for name in crew if _takes_part(name, runs, training) and name not in notes]
    build = {"do": "train", "row": training.name, "smoke": options.smoke}
    crew.ask(present, **build, plain=True)
    agree(crew.ask_each(present, "losses", epoch="epoch" in runs))
    if training != training.without_dropout():
        crew.ask(present, **build, plain=False)
    measured = training.smaller() if options.smoke else training
    for run in runs:
        if options.wants(group, f"{run} {training.name}"):
            count = measured.iterations if run == "epoch" else 1
            able = [name for name in present if peers.fits(name, run, training.net, training)]
            row = Row(group, f"{run} {training.name}", flops=measured.flops, notes=notes)
            yield crew.measure(row, able, run, count, options)


def agree(found: Mapping[str, Sequence[float]]) -> None:
    """Raise AssertionError unless all contenders found what we found."""
    ours = np.asarray(found[OURS])
    for name, theirs in found.items():
        gap = np.max(np.abs(np.asarray(theirs) - ours) / np.abs(ours))
        assert gap <= TOLERANCE, f"losses of {name} differ by {gap:.1e}:\n  {list(theirs)}\n  {list(ours)}"
