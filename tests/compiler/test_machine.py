"""Machine code: modules compiled apart, loaded together, and freed whenever Python likes."""

from __future__ import annotations

import ctypes
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from chainrule.compiler.cpu.machine import Library, build
from chainrule.compiler.cpu.target import target

HALF = "define i64 @half(i64 %x) {\n %y = sdiv i64 %x, 2\n ret i64 %y\n}"
CALLER = """
declare i64 @half(i64)
define i64 @next(i64 %x) {
 %y = call i64 @half(i64 %x)
 %z = add i64 %y, 1
 ret i64 %z
}"""


WHOLE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)


def call(library: Library, name: str, value: int) -> int:
    return library.function(name, WHOLE)(value)


def test_pieces_call_each_other() -> None:
    library = Library([build(CALLER, target()), build(HALF, target())], target())
    assert call(library, "next", 10) == 6
    assert "@half" in library.ir
    assert "next:" in library.assembly()


def test_libraries_in_cycles_are_freed_in_any_order() -> None:
    for _ in range(20):
        library = Library(HALF, target())
        library.itself = library  # type: ignore[attr-defined]
        assert call(library, "half", 4) == 2
        del library
        gc.collect()


def test_a_function_keeps_its_library_loaded() -> None:
    half = Library(HALF, target()).function("half", WHOLE)
    library = weakref.ref(half.library)
    gc.collect()
    assert half(9) == 4
    del half
    gc.collect()
    assert library() is None


def test_threads_compile_at_once_what_one_compiles() -> None:
    texts = [HALF.replace("2", str(number)) for number in range(2, 50)]
    with ThreadPoolExecutor(4) as workers:
        together = list(workers.map(lambda text: build(text, target()), texts))
    assert together == [build(text, target()) for text in texts]


def test_what_is_not_ir_is_refused() -> None:
    with pytest.raises(RuntimeError, match="parsing error"):
        build("define nonsense", target())
