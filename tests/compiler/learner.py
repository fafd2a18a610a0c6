"""What many write: a class that has a network, its optimiser and a step, plain and compiled."""

from __future__ import annotations

import chainrule as cr
from chainrule import nn, optim
from chainrule.nn import functional as F


class Learner:
    """A linear classifier of rows of six numbers into three classes."""

    def __init__(self, seed: int = 0) -> None:
        self.begin(seed)

    def begin(self, seed: int) -> None:
        """Take a new network and a new optimiser."""
        cr.random.seed(seed)
        self.net = nn.Linear(6, 3)
        self.rule = optim.SGD(self.net.parameters(), lr=0.1)

    def plain(self, x, y):
        self.rule.zero_grad()
        loss = F.cross_entropy(self.net(x), y)
        loss.backward()
        self.rule.step()
        return loss

    step = cr.compile(plain)
