"""Precision at every depth of each ranking.

Webster 2023, Fig. 3, plots precision against found prompts, for ECS and for ECS followed by Carlini's filter.
"""

from __future__ import annotations

import pandas as pd

from verbatim.metrics.intervals import wilson
from verbatim.tables.table1 import is_copy


def rank_prompts(
    whitebox: pd.DataFrame, blackbox: pd.DataFrame, postfilter: pd.DataFrame, prompts: pd.DataFrame
) -> dict[str, pd.Series]:
    """The rankings to compare, each as prompt ids, best first, without extra prompts.

    `DCS` and `ECS` are in the order of the stages' own `rank`; `ECS+Carlini` is the order of ECS
    among the prompts that the filter kept.
    """
    own = set(prompts.loc[~prompts["extra"], "prompt_id"])
    dcs = whitebox.sort_values("rank")["prompt_id"]
    ecs = blackbox.sort_values("rank")["prompt_id"]
    kept = set(postfilter.loc[postfilter["kept"], "prompt_id"])
    rankings = {"DCS": dcs, "ECS": ecs, "ECS+Carlini": ecs[ecs.isin(kept)]}
    return {name: ids[ids.isin(own)].reset_index(drop=True) for name, ids in rankings.items()}


def count_precision(
    ranking: pd.Series, labels: pd.DataFrame, clusters: pd.DataFrame, confidence: float
) -> pd.DataFrame:
    """Precision among the first k of a ranking, for every k.

    A prompt counts as found if it is labelled MV, RV or TV; N, review and missing do not, so the
    precision is a lower bound. The curve ends before the first prompt that was never judged.

    The unit of the precision and of Wilson's interval is the prompt, taken as independent of all
    others. It is not: captions of one image (there may be 20) tend to be copied together, so the
    interval is too narrow.

    Returns
    -------
    k (1, 2, ...), found, precision (found / k), low, high (Wilson), found_unique (training images
    behind them, those of one duplicate cluster once)
    """
    copied = pd.Series(is_copy(labels).to_numpy(), index=labels["prompt_id"])
    judged = ranking.isin(copied.index)
    top = ranking[judged.cummin().astype(bool)]
    found = copied.reindex(top).astype(int).cumsum().to_numpy()
    table = pd.DataFrame({"k": range(1, len(top) + 1), "found": found})
    table["precision"] = table["found"] / table["k"]
    table["low"], table["high"] = wilson(table["found"], table["k"], confidence)
    source = labels.set_index("prompt_id")["source_row"].reindex(top)
    source = source.map(clusters.set_index("row")["cluster"]).fillna(source)
    is_found = copied.reindex(top).to_numpy(bool)
    new = is_found & ~source.where(is_found).duplicated().to_numpy()
    table["found_unique"] = new.cumsum()
    return table
