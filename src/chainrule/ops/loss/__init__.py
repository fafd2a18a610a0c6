"""Losses: how far an answer is from the right one, under PyTorch's names and with its arguments.

`input` comes first, `target` second; a target is taken in the input's dtype; `reduction` is "mean",
"sum" or "none". Each file holds one kind: numbers, probabilities, labels, margins.
"""

from chainrule.ops.loss.entropy import cross_entropy as cross_entropy
from chainrule.ops.loss.entropy import nll_loss as nll_loss
from chainrule.ops.loss.entropy import soft_cross_entropy as soft_cross_entropy
from chainrule.ops.loss.margins import hinge_loss as hinge_loss
from chainrule.ops.loss.margins import multi_margin_loss as multi_margin_loss
from chainrule.ops.loss.numbers import huber_loss as huber_loss
from chainrule.ops.loss.numbers import l1_loss as l1_loss
from chainrule.ops.loss.numbers import mse_loss as mse_loss
from chainrule.ops.loss.numbers import smooth_l1_loss as smooth_l1_loss
from chainrule.ops.loss.probabilities import binary_cross_entropy as binary_cross_entropy
from chainrule.ops.loss.probabilities import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from chainrule.ops.loss.probabilities import kl_div as kl_div
