"""Merge the detectors of all seeds into one line for each prompt and score."""

from __future__ import annotations

import pandas as pd

from verbatim.detectors.definitions import DETECTORS


def mean_seeds(seeds: pd.DataFrame, steps: int, n_seeds: int) -> pd.DataFrame:
    """Mean of each prompt's scores over the seeds with a finite score: a `detector_scores` table.

    A prompt without a finite score has NaN.

    Parameters
    ----------
    seeds : a `detector_seeds` table.
    steps : of a generation. n_seeds : that were asked for.

    Raises
    ------
    ValueError : a prompt, seed and score occur twice.
    """
    keys = ["prompt_id", "seed", "score"]
    twice = seeds[seeds.duplicated(keys)]
    if len(twice):
        first = twice.iloc[0]
        raise ValueError(
            f"prompt_id {first['prompt_id']}, seed {first['seed']}: {first['score']} was computed twice; the shards come "
            "from different runs: delete them and run again"
        )
    groups = seeds.sort_values(keys).groupby(["score", "prompt_id"], sort=True)["value"]
    table = groups.agg(value="mean", n_seeds="count").reset_index()
    rows = {name: detector.rows(steps) * n_seeds for name, detector in DETECTORS.items()}
    derivatives = {name: one.derivatives * n_seeds for name, one in DETECTORS.items()}
    return table.assign(
        n_seeds=table["n_seeds"].astype("int32"),
        unet_rows=table["score"].map(rows).astype("int64"),
        derivatives=table["score"].map(derivatives).astype("int64"),
    )
