"""Precision among the first k prompts of every score, the blind ones too.

`tables/precision` follows three rankings to the depth that was judged. Here every score is counted at the same few
depths: how many of its first k prompts were planted (known for all), and how many were labelled a copy (known for
judged prompts only, so a lower bound).
"""

from __future__ import annotations

import pandas as pd

from verbatim.metrics.intervals import share_interval
from verbatim.metrics.ranking import rank_scores
from verbatim.tables.blind import BLIND, rank_in_folds, score_words
from verbatim.tables.kinds import list_scores
from verbatim.tables.statistics import EvaluationSettings
from verbatim.tables.truth import PLANTED


def count_depths(
    prompts: pd.DataFrame,
    scores: pd.DataFrame,
    depths: list[int],
    settings: EvaluationSettings,
) -> pd.DataFrame:
    """Precision at each depth of every score of one model, among the prompts that were attacked.

    Held-out and other extra prompts take no part: no ranking of the attack has them. The bag of
    words is fitted to tell planted prompts from the others. Ties are broken by prompt_id, a hash. A
    score ranks only the prompts that its stage saw; where these are fewer than k there is no line.

    Parameters
    ----------
    prompts : from `describe_prompts`, without extra prompts
    depths : the k

    Returns
    -------
    detector, blind, k, copied (of the first k, labelled MV, RV or TV), precision (copied / k: a
        prompt that was not judged counts as a miss), low, high (bootstrap over images and
        families), judged (of the k), planted (of the k, of a kind with something to copy),
        precision_planted, low_planted, high_planted, base_planted (share of planted prompts in the
        whole pool: what a draw at random would reach), pool (prompts that could be ranked)
    """
    table = prompts.reset_index(drop=True)
    positive = table["kind"].isin(PLANTED)
    words, part = score_words(table, positive, ~positive, settings.folds, settings.seed)
    ranked = rank_in_folds(words, part)
    rows = []
    for name, values in list_scores(table, scores, ranked).items():
        scored = values.notna()
        ranks = rank_scores(values[scored], table.loc[scored, "prompt_id"])
        order = table.assign(planted=positive)[scored].assign(rank=ranks).sort_values("rank")
        for k in depths:
            if k > len(order):
                continue
            top = order.head(k)
            copied, planted = (
                share_interval(
                    top[what], top["group"], settings.resamples, settings.confidence, settings.seed
                )
                for what in ("copied", "planted")
            )
            rows.append(
                {
                    "detector": name, "blind": name in BLIND, "k": k,
                    "copied": int(top["copied"].sum()), "precision": copied[0],
                    "low": copied[1], "high": copied[2], "judged": int(top["judged"].sum()),
                    "planted": int(top["planted"].sum()), "precision_planted": planted[0],
                    "low_planted": planted[1], "high_planted": planted[2],
                    "base_planted": float(positive.mean()), "pool": len(table),
                }
            )  # fmt: skip
    columns = ["detector", "blind", "k", "copied", "precision", "low", "high", "judged", "planted",
               "precision_planted", "low_planted", "high_planted", "base_planted", "pool"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
