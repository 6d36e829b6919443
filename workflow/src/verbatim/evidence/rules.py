"""What decided a bundle's findings, read from its run.json: sizes, thresholds, order, masks, guards, placements.

Somebody else may have written it, so every number has bounds: a side of a million pixels is a fault and no wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from verbatim.evidence.finding import KINDS
from verbatim.evidence.placements import SearchSettings
from verbatim.metrics.degenerate_images import GuardSettings

FORMAT = 3  # of run.json and finding.json
MOST_SIDE = 2048  # pixels of the squares that are compared
RUN_KEYS = {"format", "model", "weights", "settings", "code", "versions"}
# what decides a mask: the type and bounds of each number
MASK = {
    "low": (float, 0.0, 1.0), "high": (float, 0.0, 1.0), "difference": (float, 0.0, 3.0),
    "erode": (int, 0, 256), "dilate": (int, 0, 256), "min_area": (float, 0.0, 1.0),
}  # fmt: skip
SEARCH = {
    "size": (int, 8, MOST_SIDE), "coarse": (int, 2, MOST_SIDE), "shift": (float, 0.0, 1.0),
    "visible": (float, 0.0, 1.0), "share": (float, 0.0, 1.0), "background": (float, 0.0, 1.0),
    "least_area": (float, 0.0, 1.0), "blur": (int, 0, 64), "window": (int, 1, 255),
    "calm": (float, 0.0, 1.0), "refine": (float, 0.0, 10.0),
}  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """preset : name of the thresholds. size : side of the squares that labels compare, pixels.

    order : which label is asked first. thresholds : RMSE in [0, 1] up to which a pair is MV, RV, TV. mask : settings of
    `template_mask`, with `low`, `high` (RMSE of a partner) and `min_area`. alpha : q-value up to which a copy is verified.
    quantile, least : of a training image's null, as of `NullSettings`.
    """

    preset: str
    size: int
    order: tuple[str, ...]
    thresholds: Mapping[str, float]
    mask: Mapping[str, Any]
    guards: GuardSettings
    search: SearchSettings
    alpha: float
    quantile: float
    least: int


def _number(block: Mapping[str, Any], key: str, kind: type, low: float, high: float) -> Any:
    """A number of a block within bounds; raises ValueError."""
    value = block[key]
    good = type(value) is kind or (kind is float and type(value) is int)
    if not good or not low <= value <= high:
        what = "whole number" if kind is int else "number"
        raise ValueError(f"{key} is {value!r}, no {what} from {low} to {high}")
    return kind(value)


def read_rules(run: Any) -> Rules:
    """Rules of a run.json.

    Raises
    ------
    ValueError, KeyError, TypeError
        It is not what `build_bundle` writes; the message says which key.
    """
    if not isinstance(run, dict) or run.get("format") != FORMAT:
        raise ValueError(f"not of format {FORMAT}: build the bundle again with this version")
    if set(run) != RUN_KEYS:
        raise ValueError(f"its keys differ from a bundle's by {sorted(set(run) ^ RUN_KEYS)}")
    labels, search = run["settings"]["labels"], run["settings"]["evidence"]
    test = run["settings"]["test"]
    order, preset = labels["order"], labels["preset"]
    if sorted(order) != sorted(KINDS):
        raise ValueError(f"labels.order is {order!r}, not MV, RV and TV in some order")
    if not isinstance(preset, str):
        raise ValueError(f"labels.preset is {preset!r}, no name")
    thresholds = {kind: _number(labels["thresholds"], kind.lower(), float, 0, 1) for kind in KINDS}
    numbers = {name: _number(search, name, *bounds) for name, bounds in SEARCH.items()}
    guards = {
        one.name: _number(labels["guards"], one.name, float, 0, 1) for one in fields(GuardSettings)
    }
    return Rules(
        preset,
        _number(labels, "size", int, 8, MOST_SIDE),
        tuple(order),
        thresholds,
        {name: _number(labels["mask"], name, *bounds) for name, bounds in MASK.items()},
        GuardSettings(**guards),
        SearchSettings(**numbers, scales=(1.0,), flip=bool(search["flip"])),
        _number(test, "alpha", float, 0, 1),
        _number(test, "quantile", float, 0, 1),
        _number(test, "least", int, 0, 1_000_000),
    )
