"""Training: the loop, its measurements, and runs that survive being killed.

`Trainer` trains any module on arrays; `Run` folders, settings and recipes around it make what the
command line does. Networks, optimisers and data come from the floors below; screens are unknown.
"""

from __future__ import annotations

from chainrule.errors import missing_name
from chainrule.train.evaluation import Evaluation
from chainrule.train.history import History
from chainrule.train.metrics import accuracy, class_scores, confusion_matrix, top_k_accuracy
from chainrule.train.models import build_model
from chainrule.train.predictor import Predictor
from chainrule.train.trainer import Trainer, Watcher

__all__ = [
    "Evaluation",
    "History",
    "Predictor",
    "Trainer",
    "Watcher",
    "accuracy",
    "build_model",
    "class_scores",
    "confusion_matrix",
    "top_k_accuracy",
]


def __getattr__(name: str) -> object:
    raise missing_name("chainrule.train", name, __all__)
