"""Files that are whole or not there: written beside their place, flushed, and only then given their name.

A kill, a full disk or a missing permission leaves the old file or none. What is in a file is not known here.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


def replace_with(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a temporary file beside `target`, then give it that name in one step.

    The folder must be there. An OSError names `target`, not the temporary file.
    """
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        if error.errno is None:  # no word of the system, but what a reader found in its own file
            raise
        raise type(error)(error.errno, error.strerror, str(target)) from error
    finally:
        with suppress(OSError):  # a folder that may only be read has been told by now
            temporary.unlink(missing_ok=True)
