"""The entry point: how errors leave the program, whatever verb was called.

Importable without typer and rich, so that their absence is an error in plain words. An error of the
library is printed without a traceback (exit status 1, or 2 for a wrong argument); `--debug` shows
the traceback.
"""

from __future__ import annotations

import importlib
import io
import os
import re
import sys

from chainrule.errors import ArgumentError, ChainruleError, UnknownNameError, need


def main() -> None:
    """Run the command line on the program's arguments and exit with its status."""
    debug = "--debug" in sys.argv
    sys.argv[1:] = [each for each in sys.argv[1:] if each != "--debug"]
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of classes that this terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        for package in ("typer", "rich"):
            need(package, for_="the command line")
        importlib.import_module("chainrule.cli.app").app(prog_name="chainrule")
    except (ChainruleError, OSError) as error:
        if debug:
            raise
        sys.exit(_told(error))
    except KeyboardInterrupt:  # while the packages are imported
        sys.exit(130)


def _told(error: ChainruleError | OSError) -> int:
    """Print `error` for people and return the exit status."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename or 'input or output'}: {error.strerror}"
    if isinstance(error, ChainruleError) and error.hint:
        text = f"{text.removesuffix(error.hint)}{_with_flags(error.hint)}"
    headline, _, rest = text.partition("\n")
    red = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    opening = f"\x1b[31merror: {headline}\x1b[0m" if red else f"error: {headline}"
    print(opening, *([rest] if rest else []), sep="\n", file=sys.stderr)
    return 2 if isinstance(error, ArgumentError | UnknownNameError) else 1


def _with_flags(hint: str) -> str:
    """Write the options of `data.load` in a hint as those of the command line: `task="regression"`."""
    known = importlib.import_module("chainrule.cli.choices").OPTIONS

    def flag(found: re.Match[str]) -> str:
        name, value = found.groups()
        return f"--{name.replace('_', '-')} {value or ''}".rstrip() if name in known else found[0]

    return re.sub(r'\b([a-z_]+)=(?:"(\w*)"|(?=\W))', flag, hint)
