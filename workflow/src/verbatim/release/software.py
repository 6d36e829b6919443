"""Which packages a run had, beside those that the lock asks for."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from importlib import metadata


def read_lock(text: str) -> dict[str, str]:
    """Name -> version of every package of a requirements file, its name in the form of PEP 503."""
    pins = re.findall(r"^([\w.-]+)==([^ ;\\\n]+)", text, flags=re.M)
    return {plain(name): version for name, version in pins}


def plain(name: str) -> str:
    """PEP 503's form of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> dict[str, str]:
    """Name -> version of every package that this Python finds."""
    found = ((one.metadata["Name"], one.version) for one in metadata.distributions())
    return {plain(name): version for name, version in found if name}


def software_table(lock: str) -> str:
    """Table with a row for each package of the lock or of this Python: package, locked, installed; "" for none."""

    def lines() -> Iterator[str]:
        locked, here = read_lock(lock), installed()
        yield "package\tlocked\tinstalled\n"
        yield f"python\t\t{platform.python_version()}\n"
        for name in sorted(locked.keys() | here.keys()):
            yield f"{name}\t{locked.get(name, '')}\t{here.get(name, '')}\n"

    return "".join(lines())
