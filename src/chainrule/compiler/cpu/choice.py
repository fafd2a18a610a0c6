"""Choice: which of two ways of doing the same is quicker, learnt from how long they take.

Whether several threads pay depends on the work and on what else the machine does just now, so it is
measured. Both ways are tried at first; then the quicker is taken, and the other tried again now and
then: the more seldom the slower it was, and the longer nothing changes. A trial takes some turns, as
threads must wake and find their data first. What the ways are is not known here.
"""

from __future__ import annotations

from math import ceil, inf

_TURNS, _SECONDS = (2, 64), 0.01  # of a trial: at least and at most, and the time that is enough in between
_LONG = 0.025  # seconds of a turn that counts however many times another one did it
_SOON, _LATE = 4, 1024  # turns until the slower way is tried again: few, as the first trials may mislead
_SPENT = 0.05  # of the time may go to trying it again, even if it takes long
_WORTH = 0.95  # of the first way's time, which the second must stay below


class Choice:
    """Two ways, 0 and 1; the first is taken where they are about equal."""

    def __init__(self) -> None:
        self._seconds = [inf, inf]
        self._left = self._period = _SOON  # turns until the next trial
        self._longest = 1  # times that the same was done in one turn, at most
        self._turns = 0  # of the last trial
        self._begin(1)

    @property
    def quicker(self) -> int:
        """The way that took less time."""
        return int(self._seconds[1] < _WORTH * self._seconds[0])

    def next(self) -> int:
        """Return which way to take now."""
        if self._trial is not None:
            return self._trial
        self._left -= 1
        if self._left < 0:
            self._begin(1 - self.quicker)
        return self.quicker if self._trial is None else self._trial

    def took(self, way: int, seconds: float, times: int = 1) -> None:
        """Learn how long a way took for each of the times that it was done in this turn."""
        self._longest = max(self._longest, times)
        if way == self._trial:
            self._best = min(self._best, seconds)
            self._turns, self._spent = self._turns + 1, self._spent + seconds * times
            long = 2 * times > self._longest or seconds * times >= _LONG  # short turns mostly begin
            enough = self._spent >= _SECONDS and long
            if self._turns >= _TURNS[0] and (enough or self._turns >= _TURNS[1]):
                self._conclude(way)
        elif self._trial is None:
            before, known = self.quicker, self._seconds[way]
            if self._spent < _SECONDS:  # it has only begun again, and may be slow for that
                self._spent, seconds = self._spent + seconds * times, min(seconds, known)
            # A long time may be another program's turn, and a short turn says little.
            self._seconds[way] += (min(seconds, 4 * known) - known) / 8 * times / self._longest
            if self.quicker != before:
                self._wait(_SOON)

    def _begin(self, way: int) -> None:
        self._trial: int | None = way
        self._best, self._turns = inf, 0
        self._spent = 0.0  # seconds since a trial, or the time after one, began

    def _conclude(self, way: int) -> None:
        before, other = self.quicker, self._seconds[1 - way]
        self._seconds[way] = self._best
        if other == inf:
            self._begin(1 - way)
            return
        self._trial, self._spent = None, 0.0
        self._wait(_SOON if self.quicker != before else 2 * self._period)

    def _wait(self, turns: int) -> None:
        low, high = sorted(self._seconds)
        least = ceil(self._turns * (high - low) / (_SPENT * low))
        self._left = self._period = max(min(turns, _LATE), least)
