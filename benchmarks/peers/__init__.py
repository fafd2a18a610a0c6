"""The contenders: who they are, what they can run, and what they need.

A contender is a module of this folder and a mode of it. Its process is started with the number of
threads set in every way that one of the libraries reads. Nothing here imports a contender.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
from dataclasses import dataclass
from typing import Any

from benchmarks import timing
from benchmarks.nets import Dropout, Net, Training

PEAK = "peak"  # no contender: what the machine can do, measured in the same rounds


@dataclass(frozen=True)
class Peer:
    """A contender: its module, its mode, the packages it needs, and which of the runs it has."""

    module: str
    mode: str = ""
    packages: tuple[str, ...] = ()
    runs: tuple[str, ...] = ("step", "epoch")


PEERS = {
    timing.OURS: Peer("ours", "compiled", runs=("step", "epoch", "sample")),
    "chainrule eager": Peer("ours", "eager"),
    "numpy": Peer("numpy", runs=("step", "epoch", "sample")),
    "torch": Peer("torch", "eager", ("torch",), ("step", "epoch", "sample")),
    "torch channels_last": Peer("torch", "channels_last", ("torch",)),
    "torch.compile": Peer("torch", "compile", ("torch",), ("step", "epoch", "sample")),
    "jax": Peer("jax", "jit", ("jax",), ("step", "epoch", "sample")),
    "jax scan": Peer("jax", "scan", ("jax",), ("epoch",)),
    "scikit-learn": Peer("sklearn", "", ("sklearn",), ("step", "epoch", "sample")),
    "onnxruntime": Peer("onnx", "", ("onnx", "onnxruntime"), ("sample",)),
    PEAK: Peer("peak", runs=("fma",)),
}


def missing(name: str) -> str:
    """Return why a contender cannot run here, or nothing."""
    for package in PEERS[name].packages:
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed"
    if name == "torch.compile" and not any(map(shutil.which, ("g++", "clang++", "c++"))):
        return "it needs a C++ compiler"
    return ""


def fits(name: str, run: str, net: Net, training: Training | None = None) -> bool:
    """Say whether a contender has such a run of a net.

    Channels last is for images; NumPy by hand, scikit-learn and our own eager mode are for MLPs.
    MLPClassifier knows the cross entropy only, no dropout, and has one output for two classes.
    """
    if run not in PEERS[name].runs or (name == "torch channels_last" and not net.has_images):
        return False
    if name in ("numpy", "scikit-learn", "chainrule eager") and net.has_images:
        return False
    if name == "scikit-learn":
        drops = any(isinstance(layer, Dropout) for layer in net.layers)
        return net.classes > 2 and not drops and (not training or training.loss == "cross_entropy")
    return True


def environment(threads: int) -> dict[str, str]:
    """Return the variables of a process in which every library uses that many threads."""
    names = ("OMP", "MKL", "OPENBLAS", "VECLIB_MAXIMUM", "NUMEXPR", "CHAINRULE")
    found = {f"{name}_NUM_THREADS": str(threads) for name in names}
    flags = f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()}"
    return {**os.environ, **found, "NPROC": str(threads), "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}


def load(name: str) -> Any:
    """Return the module of a contender."""
    return importlib.import_module(f"benchmarks.peers.{PEERS[name].module}")
