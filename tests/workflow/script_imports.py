"""What a rule's script imports in the end, through the library's modules, and only if it is reached.

A module's own imports count as soon as it is imported; those inside a function or class only when something
that is reached names it. Names are followed by name alone: rather one import too many than one too few.
"""

from __future__ import annotations

import ast
import functools
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "workflow" / "src"


class _Body:
    """The imports and the names in some statements; a function's or class's inside is not looked at."""

    def __init__(self, statements: list[ast.stmt]):
        self.imports: list[ast.Import | ast.ImportFrom] = []
        self.nodes: list[ast.AST] = []
        todo: list[ast.AST] = list(statements)
        while todo:
            node = todo.pop()
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self.imports.append(node)
            elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                continue
            else:
                self.nodes.append(node)
                todo += ast.iter_child_nodes(node)

    @property
    def names(self) -> set[str]:
        named = {node.id for node in self.nodes if isinstance(node, ast.Name)}
        return named | {node.attr for node in self.nodes if isinstance(node, ast.Attribute)}


@functools.cache
def _parts(file: Path) -> tuple[_Body, dict[str, _Body]]:
    """What runs as the file is imported, and each top-level function and class."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    tree = ast.parse(file.read_text("utf-8"))
    inside = {node.name: _Body([node]) for node in tree.body if isinstance(node, kinds)}
    return _Body([node for node in tree.body if not isinstance(node, kinds)]), inside


def module_file(module: str) -> Path | None:
    """The library's file of a module's name."""
    path = SRC / module.replace(".", "/")
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if module.startswith("verbatim") and file.is_file()), None)


def imported(file: Path, wanted: set[str] | None = None) -> set[str]:
    """Top-level names of the third-party packages that `file` imports; `wanted`: what is used of it, or all."""
    found: set[str] = set()
    done: set[tuple[Path, str]] = set()
    todo: list[tuple[Path, set[str] | None]] = [(file, wanted)]
    while todo:
        here, names = todo.pop()
        top, inside = _parts(here)
        reached = set(inside) if names is None else names & set(inside)
        if (here, "") not in done:  # its own imports, and what runs as it is imported
            done.add((here, ""))
            reached |= top.names & set(inside)
            bodies = [top]
        else:
            bodies = []
        while reached:
            name = reached.pop()
            if (here, name) not in done:
                done.add((here, name))
                bodies.append(inside[name])
                reached |= inside[name].names & set(inside)
        used = set().union(top.names, *(inside[name].names for name in inside))
        # an import of the whole file serves each of its functions: all that they name counts
        for node in [node for body in bodies for node in body.imports]:
            for module, what in _targets(node, used):
                if (target := module_file(module)) is not None:
                    todo.append((target, what))
                else:
                    found.add(module.split(".")[0])
    return {name for name in found - set(sys.stdlib_module_names) if name != "verbatim"}


def _targets(node: ast.Import | ast.ImportFrom, used: set[str]) -> list[tuple[str, set[str]]]:
    """(module, what of it is used) of one import statement."""
    if isinstance(node, ast.Import):
        return [(alias.name, used) for alias in node.names]
    found = []
    for alias in node.names:
        whole = f"{node.module}.{alias.name}"
        if module_file(whole) is not None:  # from verbatim import images
            found.append((whole, used))
        else:
            found.append((str(node.module), {alias.name}))
    return found
