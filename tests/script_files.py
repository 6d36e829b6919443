"""Stands for the `input`, `output` and `params` objects that Snakemake hands a script."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class Files(list):
    """What Snakemake hands a script as `input` or `output`: by position, and by name."""

    def __init__(self, named: dict[str, Any] | list[Any]):
        items = named if isinstance(named, list) else list(named.values())
        flat: list[str] = []
        for item in items:
            flat += [str(x) for x in item] if isinstance(item, (list, tuple)) else [str(item)]
        super().__init__(flat)
        if isinstance(named, dict):
            for name, item in named.items():
                many = isinstance(item, (list, tuple))
                setattr(self, name, [str(x) for x in item] if many else str(item))

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self, name, default)


class Params(SimpleNamespace):
    """What Snakemake hands a script as `params`: by name, and by `get` where a rule may have none."""

    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self, name, default)
