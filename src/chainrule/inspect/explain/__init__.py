"""Cards: what a gate does, in symbols and numbers, forward and backward.

`card_of` makes the card of a gate, `explain` those of a graph. The package reads gates through a
description of them (`subject`), so that gates can offer their own cards.
"""

from chainrule.inspect.explain.card import Card as Card
from chainrule.inspect.explain.card import card_of as card_of
from chainrule.inspect.explain.explanation import Explanation as Explanation
from chainrule.inspect.explain.explanation import explain as explain
from chainrule.inspect.explain.facts import Branch as Branch
from chainrule.inspect.explain.facts import Edge as Edge
from chainrule.inspect.explain.folding import fold as fold
from chainrule.inspect.explain.walk import Step as Step
from chainrule.inspect.explain.walk import walk as walk
