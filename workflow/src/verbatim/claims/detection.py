"""Do the attacks still find copies after a mitigation, and are there any? From the tables of one run."""

from __future__ import annotations

import numpy as np
import pandas as pd

from verbatim.io.measures import Measures
from verbatim.metrics.roc import Attack

ATTACKS = ("dcs", "ecs", "clique")


def clique_order(scores: pd.DataFrame) -> pd.Series:
    """Carlini's order as one number: larger cliques first, of equal ones the closer; NaN where no images were made.

    A clique of one has no distance and is the last of its size.
    """
    made = scores["clique_size"] > 0
    closeness = 1 / (2 + scores["clique_distance"].clip(lower=0))
    return (scores["clique_size"] + closeness.fillna(0)).where(made)


def find_copied(
    generations: pd.DataFrame, similarities: pd.DataFrame, threshold: float
) -> pd.Series:
    """image_id -> whether any image drawn for its caption is a copy of it: own RMSE at most `threshold`."""
    own = similarities.drop_duplicates("generation").set_index("generation")["own_rmse"]
    nearest = own.reindex(generations["generation"]).to_numpy(float)
    least = pd.Series(nearest, index=generations["image_id"]).groupby(level=0).min()
    return least.dropna() <= threshold


def detection_measures(
    scores: pd.DataFrame,
    generations: pd.DataFrame,
    similarities: pd.DataFrame,
    threshold: float,
    draws: tuple[int, float, int],
    out: Measures,
) -> None:
    """auc:dcs, auc:ecs, auc:clique: duplicated images' captions against all others, held-out ones too;
    auc_copied:...: captions whose image comes out as a copy against those drawn that do not; `copied`: their share.

    Parameters
    ----------
    scores, generations, similarities : `membership_scores`, `mitigation_generations`, `similarity_matches` of the run
    threshold : RMSE of a copy
    draws : resamples of the bootstrap, confidence of its interval, seed
    """
    if not len(scores):
        return
    values = {"dcs": scores["dcs"], "ecs": scores["ecs"], "clique": clique_order(scores)}
    ids, planted = scores["image_id"].to_numpy(), scores["planted"].to_numpy(bool)
    copied = find_copied(generations, similarities, threshold).reindex(ids)
    drawn = copied.notna().to_numpy()
    is_copied = copied.to_numpy() == True  # noqa: E712  (NaN: not drawn)
    out.add(
        "copied", float(is_copied[drawn].mean()) if drawn.any() else np.nan, int(drawn.sum()),
        note=f"{int(is_copied.sum())} captions whose own image comes out, of those drawn",
    )  # fmt: skip
    for name, column in values.items():
        x = column.to_numpy(float)
        for kind, positive, among in (
            ("auc", planted, np.ones(len(ids), bool)),
            ("auc_copied", is_copied, drawn),
        ):
            found = Attack(np.where(among, x, np.nan), positive, ids).measure(None, *draws)
            note = found.note or f"{int((positive & among & np.isfinite(x)).sum())} positives"
            out.add(f"{kind}:{name}", found.value, found.n, found.low, found.high, note)
