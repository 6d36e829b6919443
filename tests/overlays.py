"""Puts one config over another, as Snakemake does with several files after --configfile."""

from __future__ import annotations

import copy
from typing import Any


def overlay(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` put over it block by block; neither is changed."""
    merged = copy.deepcopy(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = overlay(merged[key], value) if both else copy.deepcopy(value)
    return merged


def change(config: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    """A copy of `config` with another value of a key; dots in the key stand between blocks."""
    config = copy.deepcopy(config)
    *path, last = key.split(".")
    block = config
    for part in path:
        block = block[part]
    block[last] = value
    return config
