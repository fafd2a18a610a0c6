"""Choice: which of two ways of doing the same is quicker, learnt from how long they take.

Whether several threads pay depends on the work and on what else the machine does just now, so it is
measured. Both ways are tried at first; then the quicker is taken, and the other tried again now and
then: the more seldom the slower it was, and the longer nothing changes. What the ways are is not known
here.
"""

from __future__ import annotations

from math import ceil, inf

_TRIALS = 6  # that begin, of both ways in turn
_SOON, _LATE = 4, 1024  # turns until the slower way is tried again: few, as the first trials may mislead
_SPENT = 0.05  # of the time may go to trying it again, in two turns each time, even if it takes long
_WORTH = 0.95  # of the first way's time, which the second must stay below


class Choice:
    """Two ways, 0 and 1; the first is taken where they are about equal."""

    def __init__(self) -> None:
        self._seconds = [inf, inf]
        self._turn, self._period = 0, _SOON
        self._trial = _TRIALS + 1  # the turn that tries the slower way, and the next one does again
        self._tried = inf  # seconds of its first turn, in which threads may have to wake
        self._longest = 1  # times that the same was done in one turn, at most

    @property
    def quicker(self) -> int:
        """The way that took less time."""
        return int(self._seconds[1] < _WORTH * self._seconds[0])

    def next(self) -> int:
        """Return which way to take now."""
        self._turn += 1
        if self._turn <= _TRIALS:
            return int(self._turn <= _TRIALS // 2)
        return self.quicker if self._turn < self._trial else 1 - self.quicker

    def took(self, way: int, seconds: float, times: int = 1) -> None:
        """Learn how long a way took for each of the times that it was done in this turn."""
        before, known = self.quicker, self._seconds[way]
        self._longest = max(self._longest, times)
        if self._turn <= _TRIALS:
            self._seconds[way] = min(known, seconds)
            if self._turn == _TRIALS:
                self._wait(_SOON)
        elif way == before:
            # A long time may be another program's turn, a short turn is mostly its beginning.
            self._seconds[way] += (min(seconds, 4 * known) - known) / 8 * times / self._longest
            if self.quicker != before:
                self._wait(_SOON)
        elif self._turn == self._trial:
            self._tried = seconds
        else:
            self._seconds[way] = min(seconds, self._tried)
            self._wait(_SOON if self.quicker != before else 2 * self._period)

    def _wait(self, turns: int) -> None:
        low, high = sorted(self._seconds)
        least = ceil(2 * (high - low) / (_SPENT * low)) if high < inf else 0
        self._period = max(min(turns, _LATE), least)
        self._trial = self._turn + self._period
