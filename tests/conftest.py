"""Fixtures for tests on real data: where the data sets lie, and CIFAR-10 in its official files.

The data are no part of the project. Where they are missing the tests are skipped, unless
CHAINRULE_REQUIRE_SHARED_DATA is set, as it is where a skipped test would hide a fault.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# Tests leave the user's cache alone, and what one of them has compiled the next ones find.
if "CHAINRULE_CACHE" not in os.environ:  # processes that run tests side by side inherit the first one's
    _KERNELS = tempfile.TemporaryDirectory(prefix="chainrule-kernels-")
    os.environ["CHAINRULE_CACHE"] = _KERNELS.name


def pytest_configure(config: pytest.Config) -> None:
    """Let processes that run tests side by side share the processors, and not wait for each other's threads."""
    if workers := getattr(config.option, "numprocesses", None):
        share = str(max(1, (os.cpu_count() or 1) // workers))
        for name in ("CHAINRULE_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
            os.environ.setdefault(name, share)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, so that no process is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        missing = pytest.fail if os.environ.get("CHAINRULE_REQUIRE_SHARED_DATA") else pytest.skip
        missing(f"the folder {folder} with the real data sets is missing")
    return folder


@pytest.fixture(scope="session")
def cifar10_folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cifar10") / "cifar-10-batches-py"
    subprocess.run(
        [sys.executable, shared_data / "cifar10" / "unpack.py", folder], check=True, stdout=subprocess.DEVNULL
    )
    return folder
