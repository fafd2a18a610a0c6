"""Which gates close into a box: the scopes that the engine marked, where they have one output.

Every call of a composite op or of a module is a scope of its own. A scope is closed only if exactly
one of its values is used outside; then no path can leave the box and come back, and the graph of
boxes is again without cycles. Others stay open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainrule.core.mode import Scope
from chainrule.inspect.gate import Gate


def scopes(gates: Iterable[Gate]) -> list[Scope]:
    """Return every scope in which some gate was made, outer ones before inner ones."""
    found: dict[int, Scope] = {}
    for gate in gates:
        scope = gate.tensor.scope
        if scope is not None and id(scope) not in found:
            for level in scope.chain():
                found.setdefault(id(level), level)
    return list(found.values())


def boxed(gates: Sequence[Gate], closed: Sequence[Scope]) -> dict[Gate, Scope]:
    """Return the outermost closable scope of each gate that lies in one; the last gate is the output."""
    wanted = {id(scope) for scope in closed}
    levels = {gate: _closed_levels(gate.tensor.scope, wanted) for gate in gates}
    exits: dict[int, set[Gate]] = {}
    for gate in gates:
        own = {id(scope) for scope in levels[gate]}
        for source in gate.sources:
            for scope in levels.get(source, ()):
                if id(scope) not in own:
                    exits.setdefault(id(scope), set()).add(source)
    for scope in levels[gates[-1]]:
        exits.setdefault(id(scope), set()).add(gates[-1])
    found = {
        gate: next((scope for scope in chain if len(exits.get(id(scope), ())) == 1), None)
        for gate, chain in levels.items()
    }
    return {gate: scope for gate, scope in found.items() if scope is not None}


def hidden(gates: Sequence[Gate], box: dict[Gate, Scope]) -> set[Gate]:
    """Return the nameless constants that one box alone uses: they are shown inside it only."""
    users: dict[Gate, set[Scope | None]] = {}
    for gate in gates:
        for source in gate.sources:
            if source.is_leaf and not source.tracked and source.tensor.name is None:
                users.setdefault(source, set()).add(box.get(gate))
    return {leaf for leaf, places in users.items() if len(places) == 1 and None not in places}


def _closed_levels(scope: Scope | None, wanted: set[int]) -> list[Scope]:
    """Return the wanted scopes around a gate, outermost first."""
    return [level for level in scope.chain() if id(level) in wanted] if scope and wanted else []
