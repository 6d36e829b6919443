"""Merge the white-box scores of all seeds and shards into one ranked line for each prompt.

Webster 2023, section 4: prompts enter the next attack in the order of their DCS.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from verbatim.metrics.ranking import rank_scores

SCORES = ("dcs_reference", "dcs_paper", "wen_first_step", "guidance_cosine")
PRESETS = {"reference": "dcs_reference", "paper": "dcs_paper"}


def mean_seeds(seeds: pd.DataFrame) -> pd.DataFrame:
    """Mean of every prompt's scores over the seeds with finite scores: prompt_id, the scores, n_seeds.

    A prompt without a finite score has NaN and ranks last.

    Parameters
    ----------
    seeds : a `whitebox_seeds` table that holds every line of its prompts, as a shard does.

    Raises
    ------
    ValueError : a prompt and seed occur twice.
    """
    twice = seeds[seeds.duplicated(["prompt_id", "seed"])]
    if len(twice):
        first = twice.iloc[0]
        raise ValueError(
            f"prompt_id {first['prompt_id']:.0f}, seed {first['seed']:.0f} was scored twice; the "
            "shards come from different runs: delete them and run again"
        )
    groups = seeds.sort_values(["prompt_id", "seed"]).groupby("prompt_id", sort=True)
    table = groups[list(SCORES)].mean()
    table["n_seeds"] = groups[SCORES[0]].count().astype("int32")
    return table.reset_index()


def rank_prompts(means: Sequence[pd.DataFrame], preset: str) -> pd.DataFrame:
    """The prompts of all shards, ranked by `preset`: a `whitebox` table. Ties: the lower prompt_id.

    Parameters
    ----------
    means : `mean_seeds` of each shard.
    preset : "reference" or "paper".

    Raises
    ------
    ValueError : an unknown preset.
    """
    if preset not in PRESETS:
        raise ValueError(f"whitebox.preset is {preset!r}; known: {', '.join(PRESETS)}")
    table = pd.concat(means, ignore_index=True)
    table["dcs"] = table[PRESETS[preset]]
    table["preset"] = preset
    table["rank"] = rank_scores(table["dcs"], table["prompt_id"])
    return table.sort_values("rank", ignore_index=True)
