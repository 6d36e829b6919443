"""What a guard lets out, judged by all training images of the embedded world, by kind of planted prompt.

The guard's own check compares a generation with the training images that are near it by embedding, and finds no copy that the
embedding misses. Here each generation is compared with every training image, which only a small world allows. Copies of a
template, which only a mask shows, are not judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd

from verbatim.io.images import ImageError, generation_name, resize
from verbatim.metrics.equal_images import first_of_equal
from verbatim.metrics.intervals import share_interval
from verbatim.metrics.rmse import rmse

BLOCK = 256  # generations compared at once; bounds memory, changes nothing
NONE = "none"
MEASURES = {"copies let out": "copied", "regenerated": "regenerated", "withheld": "withheld"}


class Readable(Protocol):
    """An archive of images by name."""

    def read(self, name: str) -> np.ndarray: ...


def unlike(images: np.ndarray) -> np.ndarray:
    """The different ones among images (n, h, w, 3)."""
    return images[first_of_equal(images)]


def nearest_of_all(
    outcomes: pd.DataFrame, archives: Mapping[str, Readable], training: np.ndarray
) -> pd.DataFrame:
    """RMSE of every generation that some policy lets out to its nearest training image.

    Parameters
    ----------
    outcomes : a `guard_outcomes` table. archives : what is let out -> its generations. training : (t, s, s, 3) in [0, 1].

    Returns
    -------
    prompt_id, seed, let_out, distance; NaN where there is no image that can be read.
    """
    out = outcomes.loc[outcomes["let_out"].ne(""), ["prompt_id", "seed", "let_out"]]
    out = out.drop_duplicates().reset_index(drop=True)
    distance = np.full(len(out), np.nan)
    size = training.shape[1]
    for start in range(0, len(out), BLOCK):
        places, images = [], []
        for place, one in enumerate(out.iloc[start : start + BLOCK].to_dict("records"), start):
            try:
                name = generation_name(int(one["prompt_id"]), int(one["seed"]))
                images.append(resize(archives[one["let_out"]].read(name), size, size))
                places.append(place)
            except (KeyError, ImageError):
                continue
        if images:
            distance[places] = rmse(np.stack(images), training).min(axis=1)
    return out.assign(distance=distance)


def count_kinds(
    outcomes: pd.DataFrame,
    nearest: pd.DataFrame,
    prompts: pd.DataFrame,
    threshold: float,
    draws: tuple[int, float, int],
) -> pd.DataFrame:
    """The lines of `tables/guard.csv` without `model`.

    Parameters
    ----------
    outcomes : a `guard_outcomes` table. nearest : of `nearest_of_all`. prompts : of `truth.list_prompts`. threshold : RMSE up to
    which a generation is a copy. draws : resamples, confidence and seed of the bootstrap over what prompts copy.
    """
    table = outcomes.merge(nearest, on=["prompt_id", "seed", "let_out"], how="left")
    table = table.merge(prompts[["prompt_id", "kind"]], on="prompt_id")
    table["copied"] = table["distance"].le(threshold)
    calibrating = table["group"].eq("calibration")
    records: list[dict[str, Any]] = []
    keys = ["policy", "defence", "kind"]
    for (policy, defence, kind), some in _groups(table[~calibrating], keys):
        for measure, column in MEASURES.items():
            hits = some[column].to_numpy(bool)
            found = share_interval(hits, some["unit"], *draws)
            records.append(
                {"policy": policy, "defence": defence, "kind": kind, "measure": measure, "share": found.value}
                | {"low": found.low, "high": found.high, "count": int(hits.sum()), "n": len(some)}
                | {"n_prompts": some["prompt_id"].nunique()}
            )  # fmt: skip
    return pd.DataFrame(records)


def _groups(table: pd.DataFrame, keys: list[str]) -> Iterable[tuple[Any, pd.DataFrame]]:
    return table.groupby(keys, sort=False)
