"""What the figures were measured on: processor, memory, versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = (
    "chainrule", "numpy", "llvmlite", "torch", "jax", "jaxlib", "scikit-learn", "onnxruntime", "scikit-image",
)  # fmt: skip


def facts() -> dict[str, str]:
    """Return the names and values of what matters."""
    found = {"processor": _processor(), "cores": str(os.cpu_count()), "system": platform.platform()}
    found["python"] = platform.python_version()
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _processor() -> str:
    """Return the name of the processor and its widest vectors, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    known = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = known.get("flags", "").split()
    wide = next((name for name in ("avx512f", "avx2", "avx") if name in flags), "")
    name = known.get("model name", platform.machine())
    return f"{name} (family {known.get('cpu family')}, model {known.get('model')}, {wide})" if wide else name
