"""Labels against truth: the share of labelled copies that was planted."""

from __future__ import annotations

import numpy as np
import pandas as pd

from verbatim.metrics.intervals import share_interval
from verbatim.tables.truth import judge, list_prompts

VERDICTS = ("MV", "RV", "TV", "N", "review", "missing")


def compare_truth(
    labels: pd.DataFrame, truth: pd.DataFrame, resamples: int, confidence: float, seed: int
) -> pd.DataFrame:
    """Verdicts of one model by the kind of prompt.

    The unit of the share is the prompt. An image may have many captions (20 of one image are 20
    prompts), which tend to give the same image back together, so the interval is a bootstrap over
    the images that came back. `sources` says of how many images the planted ones are.

    Parameters
    ----------
    labels : a `labels` table, extra prompts among them
    truth : a `truth` table
    resamples, confidence, seed : of the intervals, see `share_interval`

    Returns
    -------
    label (MV, RV, TV, N, review, missing, and `copy` for the first three together), kind (of the
    prompt: a kind of the truth, `unknown` for a prompt that is none of the world's, and `all`:
    every prompt but the extra ones, as in Table 1), prompts, source_own (prompts whose source is an
    image of this caption), source_planted (prompts whose source's image is more than once in
    the full training set; a model trained on deduplicated data saw it once), sources (unique
    images among the planted sources), share_planted (of the prompts with a source), low, high.
    """
    kind_of = list_prompts(truth).set_index("prompt_id")["kind"]
    table = judge(labels, truth)
    table["kind"] = table["prompt_id"].map(kind_of).fillna("unknown")
    table["source_planted"] = table["source_copies"] > 1
    table["planted_image"] = table["source_image"].where(table["source_planted"])
    table = pd.concat([table, table[~table["extra"]].assign(kind="all")])
    table = pd.concat([table, table[table["copied"]].assign(verdict="copy")])
    out = (
        table.groupby(["verdict", "kind"])
        .agg(
            prompts=("prompt_id", "size"),
            source_own=("own", "sum"),
            source_planted=("source_planted", "sum"),
            sources=("planted_image", "nunique"),
        )
        .reset_index()
        .rename(columns={"verdict": "label"})
    )
    order = {label: i for i, label in enumerate(("copy", *VERDICTS))}
    kinds = {kind: i for i, kind in enumerate(("all", *dict.fromkeys(kind_of), "unknown"))}
    out = out.sort_values("kind", key=lambda k: k.map(kinds), kind="stable")
    out = out.sort_values("label", key=lambda name: name.map(order), kind="stable")
    cells = table[table["copied"]].groupby(["verdict", "kind"])
    shares = {
        cell: share_interval(
            some["source_planted"], some["source_image"], resamples, confidence, seed
        )
        for cell, some in cells
    }
    nothing = (np.nan,) * 3  # N, review and missing: they have no source, and so no share
    found = [shares.get(cell, nothing) for cell in zip(out["label"], out["kind"], strict=True)]
    columns = ["share_planted", "low", "high"]
    out[columns] = np.array(found, float).reshape(-1, 3)
    return out.reset_index(drop=True)
