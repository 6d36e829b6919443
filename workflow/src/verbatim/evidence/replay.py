"""Replay a bundle: its distances anew from its pictures alone, and what was changed since it was made.

NumPy and Pillow alone: no model, no GPU, no table. What a bundle says of itself is read as data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from verbatim.compare import fit_square, masked_rmse, rmse
from verbatim.evidence.manifest import NAME, check_chain
from verbatim.evidence.matching import residual_of
from verbatim.evidence.placements import SearchSettings
from verbatim.images import ImageError, decode_image, resize

TOLERANCE = 1e-6  # absolute, of RMSE in [0, 1] and of residuals


class Replay(NamedTuple):
    """One distance: what the bundle says, what its pictures give (NaN where `why` says why not)."""

    prompt_id: int
    kind: str
    stored: float
    replayed: float
    why: str

    @property
    def agrees(self) -> bool:
        return bool(abs(self.stored - self.replayed) <= TOLERANCE)


def check_bundle(files: Mapping[str, bytes], head: str | None) -> tuple[list[str], list[Replay]]:
    """Faults of a bundle (none: it is as it was made), and every distance replayed.

    files : every file of the folder by its path from it. head : see `check_chain`.
    """
    others = {path: data for path, data in files.items() if path != NAME}
    if NAME not in files:
        return [f"{NAME}: is not there; this is no bundle"], []
    faults = check_chain(files[NAME], others, head)
    replays: list[Replay] = []
    try:
        run = json.loads(files["run.json"])
        for path in sorted(files):
            if path.endswith("/finding.json"):
                replays += replay_finding(run, json.loads(files[path]), files)
    except (KeyError, ValueError, TypeError, AttributeError) as err:
        faults.append(f"the distances cannot be replayed: {type(err).__name__}: {err}")
    faults += [
        f"prompt {one.prompt_id}: {one.kind} is {one.stored!r}, its pictures give {one.replayed!r}"
        for one in replays
        if not one.why and not one.agrees
    ]
    return faults, replays


def replay_finding(
    run: Mapping[str, Any], finding: Mapping[str, Any], files: Mapping[str, bytes]
) -> list[Replay]:
    """Every distance of one finding."""
    found = []
    for one in finding["comparisons"]:
        key = (int(finding["prompt_id"]), str(one["kind"]), float(one["distance"]))
        if finding["pictures"] != "full":
            how = {"blurred": "are blurred", "none": "were left out"}[finding["pictures"]]
            found.append(Replay(*key, float("nan"), f"its pictures {how}"))
            continue
        try:
            found.append(Replay(*key, _distance(run, one, files), ""))
        except (KeyError, ImageError) as err:
            found.append(Replay(*key, float("nan"), f"a picture cannot be read: {err}"))
    return found


def _distance(run: Mapping[str, Any], one: Mapping[str, Any], files: Mapping[str, bytes]) -> float:
    """The distance of one comparison from its pictures."""
    size = int(run["settings"]["evidence" if "placed" in one else "labels"]["size"])
    square = fit_square(decode_image(files[one["source"]]), size)[one["crop"]]
    made = resize(decode_image(files[one["generated"]]), size, size)
    if "placed" in one:
        search = dict(run["settings"]["evidence"])
        return residual_of(made, square, one["placed"], SearchSettings(**search))
    if one["mask"]:
        mask = decode_image(files[one["mask"]])[:, :, 0] > 0.5
        return float(masked_rmse(made[None], square, mask)[0])
    return float(rmse(np.stack([made]), np.stack([square]))[0, 0])
