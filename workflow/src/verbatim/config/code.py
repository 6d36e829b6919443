"""All modules that a rule's script imports, directly or through other modules, if they are reached.

A module's own imports count as soon as it is imported. Imports inside a function or class count only when
something that is reached names it. Names are matched as plain words, so that a doubtful import counts.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import functools
import importlib.util
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verbatim.io.atomic import new_file

SRC = Path(__file__).resolve().parents[2]
HOME = SRC.parent  # of the library and of the scripts
# what files hold, from one process to the next: to parse all of them takes a second of every start of snakemake
KEPT = Path(importlib.util.cache_from_source(__file__)).with_name("code.json")
# Modules that move data, log or check, and change no number: an edit of them reruns nothing.
CHANGES_NO_NUMBER = frozenset(
    {
        "config/code",
        "config/settings",
        "io/atomic",
        "io/file_times",
        "io/locks",
        "io/missing",
        "io/parquet",
        "io/seals",
        "io/software_version",
        "io/stand_ins",
        "io/result_cache",
        "io/image_store",
        "io/records",
        "models/gpus",
        "runtime",
    }
)


def _is_for_types(node: ast.AST) -> bool:
    """Whether these statements are for a type checker alone."""
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


@dataclass(frozen=True)
class _Body:
    """The imports and the names in some statements, without the inside of functions and classes.

    imports : of each import statement the module after `from` (None without one) and the names after `import`.
    names : every identifier and attribute that the statements name.
    """

    imports: tuple[tuple[str | None, tuple[str, ...]], ...]
    names: frozenset[str]

    @classmethod
    def of(cls, statements: Iterable[ast.AST]) -> _Body:
        imports: list[tuple[str | None, tuple[str, ...]]] = []
        names: set[str] = set()
        todo: list[ast.AST] = list(statements)
        while todo:
            node = todo.pop()
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
                todo.append(node.value)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                module = str(node.module) if isinstance(node, ast.ImportFrom) else None
                imports.append((module, tuple(alias.name for alias in node.names)))
            elif not isinstance(node, ast.Constant) and not _is_for_types(node):
                todo += ast.iter_child_nodes(node)
        return cls(tuple(imports), frozenset(names))

    @classmethod
    def of_json(cls, kept: list[Any]) -> _Body:
        imports, names = kept
        return cls(tuple((module, tuple(found)) for module, found in imports), frozenset(names))

    def to_json(self) -> list[Any]:
        return [self.imports, sorted(self.names)]


def _state(file: Path) -> list[int]:
    """What changes with a file, as Python's own bytecode asks for it: the time of its last change, and its size."""
    stat = file.stat()
    return [stat.st_mtime_ns, stat.st_size]


@functools.cache
def _kept() -> dict[str, list[Any]]:
    """What earlier processes found: path from `HOME` -> the file's state, and what it held in that state."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(KEPT.read_bytes())
        if kept["of"] == _state(Path(__file__)):
            return dict(kept["files"])
    return {}


def _keep() -> None:
    """Keep what was found for later processes, where Python keeps bytecode too."""
    if not sys.dont_write_bytecode:
        kept = {"of": _state(Path(__file__)), "files": _kept()}
        with contextlib.suppress(OSError), new_file(KEPT, durable=False) as temporary:
            temporary.write_text(json.dumps(kept))


@functools.cache
def _parts(file: Path) -> tuple[_Body, dict[str, _Body]]:
    """What runs as the file is imported, and each top-level function and class by its name."""
    if not file.is_relative_to(HOME):
        return _parse(file)
    name, state, known = file.relative_to(HOME).as_posix(), _state(file), _kept()
    if known.get(name, [None])[0] != state:
        top, inside = _parse(file)
        atexit.unregister(_keep)
        atexit.register(_keep)
        known[name] = [state, top.to_json(), {key: one.to_json() for key, one in inside.items()}]
        return top, inside
    _, body, bodies = known[name]
    return _Body.of_json(body), {key: _Body.of_json(one) for key, one in bodies.items()}


def _parse(file: Path) -> tuple[_Body, dict[str, _Body]]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    tree = ast.parse(file.read_text("utf-8"))
    inside = {node.name: _Body.of([node]) for node in tree.body if isinstance(node, kinds)}
    return _Body.of(node for node in tree.body if not isinstance(node, kinds)), inside


@functools.cache
def _names(file: Path) -> frozenset[str]:
    """All names of a file, those inside its functions and classes too."""
    top, inside = _parts(file)
    return top.names.union(*(body.names for body in inside.values()))


@functools.cache
def _file_in(folder: Path, module: str) -> Path | None:
    path = folder / module.replace(".", "/")
    return next((f for f in (path.with_suffix(".py"), path / "__init__.py") if f.is_file()), None)


def module_file(module: str) -> Path | None:
    """The library's file of a module's full name; None for a module that is not the library's."""
    return _file_in(SRC, module) if module.startswith("verbatim") else None


def _targets(
    module: str | None, names: tuple[str, ...], used: frozenset[str]
) -> list[tuple[str, frozenset[str]]]:
    """(module, the names of it that are used) of one import statement."""
    if module is None:
        return [(name, used) for name in names]
    found = []
    for name in names:
        whole = f"{module}.{name}"
        if module_file(whole) is not None:  # from verbatim import images
            found.append((whole, used))
        else:
            found.append((module, frozenset({name})))
    return found


@dataclass
class _Reach:
    """What is reached from a file: library files and third-party modules."""

    files: set[Path] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)
    done: set[tuple[Path, str]] = field(default_factory=set)

    def _new_bodies(self, file: Path, names: frozenset[str] | None) -> list[_Body]:
        """Parts of `file` that become reached by these names (None: all of them)."""
        top, inside = _parts(file)
        reached = set(inside) if names is None else set(names & set(inside))
        bodies = []
        if (file, "") not in self.done:
            self.done.add((file, ""))
            reached |= top.names & set(inside)
            bodies.append(top)
        while reached:
            name = reached.pop()
            if (file, name) not in self.done:
                self.done.add((file, name))
                bodies.append(inside[name])
                reached |= inside[name].names & set(inside)
        return bodies

    def follow(self, file: Path, names: frozenset[str] | None) -> None:
        todo = [(file, names)]
        while todo:
            here, wanted = todo.pop()
            self.files.add(here)
            # an import of a whole module serves every function of the file: all that they name counts
            used = _names(here)
            for body in self._new_bodies(here, wanted):
                for imported in body.imports:
                    for module, what in _targets(*imported, used):
                        if (target := module_file(module)) is not None:
                            todo.append((target, what))
                        else:
                            self.packages.add(module.split(".")[0])


def imported_packages(file: Path, names: set[str] | None = None) -> set[str]:
    """Top-level names of the third-party packages that `file` imports in the end.

    names : what is used of the file; None means all of it.
    """
    reach = _Reach()
    reach.follow(file, None if names is None else frozenset(names))
    return {name for name in reach.packages - set(sys.stdlib_module_names) if name != "verbatim"}


@functools.cache
def code_of(*scripts: Path) -> tuple[str, ...]:
    """Library modules whose code decides what these scripts compute, e.g. "whitebox/dcs".

    The names are paths under `verbatim/` without suffix, sorted. `CHANGES_NO_NUMBER` is left out, and what
    these modules import is followed all the same.
    """
    reach = _Reach()
    for script in scripts:
        reach.follow(script, None)
    home = SRC / "verbatim"
    modules = {
        file.relative_to(home).with_suffix("").as_posix()
        for file in reach.files
        if file.is_relative_to(home) and file.name != "__init__.py"
    }
    return tuple(sorted(modules - CHANGES_NO_NUMBER))
