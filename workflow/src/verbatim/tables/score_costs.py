"""Every score with what it costs a prompt: area, recall at low false positive rates, precision at k, network rows."""

from __future__ import annotations

import pandas as pd

from verbatim.tables.detectors import BLACKBOX, POSTFILTER, WHITEBOX

POSITIVES, NEGATIVES = "full", "held_out"  # the matched comparison that the table shows
MANY = "held_out_all"  # the negatives that its strict rates are read from
STAGES = {
    "whitebox": WHITEBOX,
    "blackbox": BLACKBOX,
    "postfilter": POSTFILTER,
}
KEYS = ["model", "detector"]


def stage_rows(costs: pd.DataFrame) -> pd.DataFrame:
    """Network rows a prompt of the scores of the attack's own stages: model, detector, unet_rows.

    A stage makes all of its scores together, so that each has the rows of its stage; those of the stages before it,
    which chose its prompts, are not among them.

    Parameters
    ----------
    costs : `tables/costs.csv`.
    """
    rows = costs[costs["stage"].isin(STAGES)]
    parts = [
        pd.DataFrame(
            {"model": one["model"], "detector": name, "unet_rows": one["rows_a_prompt"]}, index=[0]
        )
        for one in rows.to_dict("records")
        for name in STAGES[one["stage"]]
    ]
    empty = pd.DataFrame(columns=[*KEYS, "unet_rows"])
    return pd.concat(parts, ignore_index=True) if parts else empty


def detector_rows(scores: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """What each detector of other papers costs a prompt: model, detector, unet_rows, derivatives.

    Parameters
    ----------
    scores : model -> its `detector_scores` table.
    """
    parts = [
        table.drop_duplicates("score")[["score", "unet_rows", "derivatives"]]
        .rename(columns={"score": "detector"})
        .assign(model=model)
        for model, table in scores.items()
    ]
    columns = [*KEYS, "unet_rows", "derivatives"]
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)


def compare_scores(
    evaluation: pd.DataFrame, depths: pd.DataFrame, rows: pd.DataFrame, ks: list[int]
) -> pd.DataFrame:
    """All scores of a model from the cheapest to the dearest: `tables/scores.csv`.

    Parameters
    ----------
    evaluation, depths : `tables/evaluation.csv`, `tables/depths.csv`.
    rows : model, detector, unet_rows, derivatives (NaN: none), of the scores that call a network.
    ks : depths that have a column.

    Returns
    -------
    model, detector, blind, unet_rows, derivatives, auc, low, high, tpr, fpr, the columns of the strict rates (tpr_0.01,
    ...; against all held-out prompts, n_neg_all of them, since the matched ones are too few), and precision_k of every depth k (share of planted prompts among the first k; NaN where fewer were ranked).
    """
    full = evaluation[evaluation["positives"].eq(POSITIVES)]
    strict = [name for name in evaluation.columns if name.startswith(("tpr_0", "fpr_0"))]
    columns = ["auc", "low", "high", "tpr", "tpr_low", "tpr_high", "fpr", "n_pos", "n_neg"]
    table = full.loc[full["negatives"].eq(NEGATIVES), [*KEYS, "blind", *columns]]
    many = full.loc[full["negatives"].eq(MANY), [*KEYS, *strict, "n_neg"]]
    table = table.merge(many.rename(columns={"n_neg": "n_neg_all"}), on=KEYS, how="left")
    columns = [*columns, *strict, "n_neg_all"]
    table = table.merge(rows, on=KEYS, how="left")
    calls = ~table["blind"].astype(bool)
    table["unet_rows"] = table["unet_rows"].astype(float).where(calls, 0.0)
    table["derivatives"] = table["derivatives"].astype(float).fillna(0.0)
    at_k = depths.pivot(index=KEYS, columns="k", values="precision_planted").reindex(columns=ks)
    at_k.columns = [f"precision_{k}" for k in at_k.columns]
    table = table.merge(at_k.reset_index(), on=KEYS, how="left")
    order = {model: place for place, model in enumerate(dict.fromkeys(evaluation["model"]))}
    table = table.assign(place=table["model"].map(order))
    by = ["place", "unet_rows", "derivatives", "detector"]
    shown = [*KEYS, "blind", "unet_rows", "derivatives", *columns, *at_k.columns]
    return table.sort_values(by, ignore_index=True)[shown]
