"""The graph as a tree of parts: calls of modules and composites, each with what it computed.

Gates are read in the order they ran. What runs during a call belongs to that call, so each part is a
stretch of that order, and closing any set of parts leaves a graph without cycles. A leaf lies in the
part that owns it: a parameter in its module, a plain number where it is used, data outside of all.
Nothing here knows sizes or places on paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chainrule.core.mode import Scope, module_path
from chainrule.inspect.gate import Gate


class Part:
    """Something that can be drawn as one box or opened: its `children` are gates and other parts.

    `kind` is "graph", "module", "composite", "repeat" (equal parts in a row) or "stretch" (part of a
    long list); `name` is a module's path or a composite's name, `type` a class or op.
    """

    def __init__(self, kind: str, name: str = "", type: str = "", owner: object = None) -> None:
        self.kind, self.name, self.type, self.owner = kind, name, type, owner
        self.parent: Part | None = None
        self.children: list[Part | Gate] = []  # in the order they ran
        self.leaves: list[Gate] = []
        self.each = ""  # of a repetition: what each of the equal parts is made of
        self.key = ""

    def adopt(self, children: Sequence[Part | Gate]) -> None:
        """Set the children."""
        self.children = list(children)
        for child in children:
            if isinstance(child, Part):
                child.parent = self

    def parts(self) -> Iterator[Part]:
        """Yield this part and all within, outer ones first."""
        yield self
        for child in self.children:
            if isinstance(child, Part):
                yield from child.parts()

    def gates(self) -> Iterator[Gate]:
        """Yield the computed gates within, in the order they ran."""
        for child in self.children:
            if isinstance(child, Part):
                yield from child.gates()
            else:
                yield child

    def all_leaves(self) -> Iterator[Gate]:
        """Yield the leaves of this part and of all within."""
        for part in self.parts():
            yield from part.leaves

    def chain(self) -> list[Part]:
        """Return the enclosing parts, outermost first, this one last."""
        levels: list[Part] = []
        level: Part | None = self
        while level is not None:
            levels.append(level)
            level = level.parent
        return levels[::-1]

    @property
    def count(self) -> int:
        """How many numbers its parameters hold."""
        return sum(leaf.value.size for leaf in self.all_leaves() if leaf.tracked)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name or self.type}: {len(self.children)} children>"


def tree(gates: Sequence[Gate]) -> Part:
    """Return the whole graph as a part, from its gates in the order they ran."""
    root = Part("graph")
    stack: list[tuple[Scope | None, Part]] = [(None, root)]
    for gate in gates:
        if gate.is_leaf:
            continue
        chain = gate.tensor.scope.chain() if gate.tensor.scope else []
        kept = 1
        while kept < len(stack) and kept <= len(chain) and stack[kept][0] is chain[kept - 1]:
            kept += 1
        del stack[kept:]
        for scope in chain[kept - 1 :]:
            part = _of(scope)
            part.parent = stack[-1][1]
            part.parent.children.append(part)
            stack.append((scope, part))
        stack[-1][1].children.append(gate)
    return root


def place_leaves(root: Part, gates: Sequence[Gate]) -> None:
    """Put every leaf into the part that owns it."""
    home = homes(root)
    order = {gate: i for i, gate in enumerate(root.gates())}
    users: dict[Gate, list[Gate]] = {gate: [] for gate in gates if gate.is_leaf}
    for gate in order:
        for source in gate.sources:
            if source.is_leaf:
                users[source].append(gate)
    for leaf, used in users.items():
        part = _owner(leaf, [home[gate] for gate in used]) or root
        while part.parent and min(order[gate] for gate in used) < order[next(part.gates())]:
            part = part.parent  # it is used before the part runs
        part.leaves.append(leaf)


def homes(root: Part) -> dict[Gate, Part]:
    """Return the part in which each computed gate and each placed leaf lies."""
    found = {child: part for part in root.parts() for child in part.children if isinstance(child, Gate)}
    found.update({leaf: part for part in root.parts() for leaf in part.leaves})
    return found


def _of(scope: Scope) -> Part:
    if scope.kind == "module":
        return Part("module", module_path(scope), type(scope.owner).__name__, scope.owner)
    return Part("composite", scope.label, scope.label)


def _owner(leaf: Gate, users: list[Part]) -> Part | None:
    """Return the innermost part that owns a leaf with these users; None for data."""
    if not users:
        return None
    own = [part for user in users if (part := _owning_module(leaf, user))]
    if own:
        return shared(own)
    around = shared(users)
    plain = not leaf.tracked and leaf.tensor.name is None and leaf.value.size == 1
    if plain or all(part.kind in ("repeat", "stretch") for part in around.chain()[1:]):
        return around
    return None


def _owning_module(leaf: Gate, part: Part) -> Part | None:
    return next(
        (
            level
            for level in reversed(part.chain())
            if any(value is leaf.tensor for value in getattr(level.owner, "__dict__", {}).values())
        ),
        None,
    )


def shared(parts: Sequence[Part]) -> Part:
    """Return the innermost part around all the given ones."""
    chains = [part.chain() for part in parts]
    levels = [level[0] for level in zip(*chains, strict=False) if all(each is level[0] for each in level)]
    return levels[-1]
