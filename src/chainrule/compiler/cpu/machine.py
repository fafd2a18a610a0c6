"""Machine code: LLVM modules optimised, compiled and loaded into the process."""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm

from chainrule.compiler.cpu.target import Target


class Library:
    """The machine code of one module, loaded; it stays loaded as long as this object lives."""

    def __init__(self, text: str, target: Target) -> None:
        machine = _machine(target)
        module = llvm.parse_assembly(text)
        module.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=2)
        options.loop_unrolling = options.loop_vectorization = options.slp_vectorization = False
        passes = llvm.create_pass_builder(machine, options)
        passes.getModulePassManager().run(module, passes)
        self.ir, self._machine, self._module = str(module), machine, module
        self._engine: Any = llvm.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Return the address of a function."""
        return self._engine.get_function_address(name)

    def assembly(self) -> str:
        """Return the machine code as text."""
        return self._machine.emit_assembly(self._module)


def _machine(target: Target) -> Any:
    """Return a new LLVM machine: an engine owns the one it is given and frees it with itself."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    made = llvm.Target.from_triple(target.triple)
    return made.create_target_machine(cpu=target.cpu, features=target.features, opt=3, jit=True)
