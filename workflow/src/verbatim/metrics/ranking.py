"""Ranks of scored prompts, and which of them the next stage takes.

Webster 2023, section 4, the cascade: every stage passes its best prompts on to a more expensive one. Ranks
are unique, so that the first n prompts are the same in every run.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

# Rankings that a model with candidates `own` takes its best prompts from -> the stage that ranks.
RANKINGS = {"dcs": "whitebox", "ecs": "blackbox", "clique": "postfilter"}


class RankingError(ValueError):
    """Tables do not fit together; the message names the prompt and the cure."""


def rank_scores(
    scores: npt.ArrayLike, prompt_ids: npt.ArrayLike, *ties: npt.ArrayLike
) -> npt.NDArray[np.int32]:
    """Rank of each prompt, 0 for the highest score.

    Parameters
    ----------
    scores : (n,); NaN ranks behind all others.
    prompt_ids : (n,) int64; of prompts that tie in everything else the lower comes first.
    ties : (n,) each; where scores are equal the higher comes first, one criterion after the other.
    """
    keys = [np.nan_to_num(-np.asarray(key, np.float64), nan=np.inf) for key in (scores, *ties)]
    order = np.lexsort([np.asarray(prompt_ids, np.int64), *reversed(keys)])
    ranks = np.empty(len(order), dtype=np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    return ranks


def rank_cliques(scores: pd.DataFrame) -> npt.NDArray[np.int32]:
    """Rank of each prompt by how strongly its full generations repeat; 0 is first.

    Carlini et al. 2023, section 4: those kept are sorted by the mean distance inside the clique.
    A prompt stops as soon as its answer is known, so prompts differ in their number of images, and the size of
    a clique is no fair measure among kept prompts. Kept prompts come first: smaller
    `clique_distance`, then larger `clique_size`, then smaller `mean_distance`. The others follow,
    most of them without a clique of two and so without its distance: larger `clique_size`, then
    smaller `mean_distance`. Of ties the lower `prompt_id` comes first.

    Parameters
    ----------
    scores : a `postfilter` table; prompt_id, kept, clique_size, clique_distance (NaN: no clique of
        two), mean_distance are read.
    """
    kept = scores["kept"].to_numpy(bool)
    return rank_scores(
        kept,
        scores["prompt_id"],
        np.where(kept, -scores["clique_distance"], 0.0),
        scores["clique_size"],
        -scores["mean_distance"],
    )


def select_top(
    prompts: pd.DataFrame, ranks: pd.DataFrame, n_prompts: int, why: str
) -> pd.DataFrame:
    """The `n_prompts` prompts of lowest rank, and every extra prompt beside them.

    Extra prompts do not use up places, so they do not change the attack.

    Parameters
    ----------
    prompts : prompt_id, caption, row, extra of the prompts that were scored.
    ranks : prompt_id, rank; 0 is the best.
    why : word for those taken by rank; extra prompts get `extra`.

    Returns
    -------
    A `selection` table in order of rank.

    Raises
    ------
    RankingError : a prompt has no rank, or more than one.
    """
    twice = ranks.loc[ranks["prompt_id"].duplicated(), "prompt_id"]
    lacking = prompts.loc[~prompts["prompt_id"].isin(ranks["prompt_id"]), "prompt_id"]
    for wrong, what in ((twice, "more than one rank"), (lacking, "no rank")):
        if len(wrong):
            raise RankingError(
                f"prompt_id {wrong.iloc[0]} ({len(wrong)} in all) has {what}; prompts and scores "
                "come from different runs: make both again"
            )
    rank = prompts["prompt_id"].map(ranks.set_index("prompt_id")["rank"])
    table = prompts.assign(rank=rank).sort_values("rank", kind="stable")
    attacked = ~table["extra"].astype(bool)
    top = attacked & (attacked.cumsum() <= n_prompts)
    table["why"] = np.where(top, why, "extra")
    names = ["prompt_id", "caption", "row", "extra", "why"]
    return table.loc[top | ~attacked, names].reset_index(drop=True)
