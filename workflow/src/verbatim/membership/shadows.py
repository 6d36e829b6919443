"""Membership inference over all shadow models: from losses and errors to the rows of the tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from verbatim.io.measures import Measures
from verbatim.membership.lira import lira_scores
from verbatim.metrics.intervals import rank_correlation
from verbatim.metrics.roc import Attack, Share, difference


def stack_members(rows: Sequence[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray]:
    """Images that every shadow model knows of, and who has seen them: image_id (n,), bool (models, n).

    rows : the `sweep_rows` of each shadow model
    """
    known = sorted(set.intersection(*(set(table["image_id"]) for table in rows)))
    ids = np.array(known, np.int64)
    seen = [table.set_index("image_id")["member"].reindex(ids) for table in rows]
    return ids, np.stack([column.to_numpy(bool) for column in seen])


def membership_table(
    points: Sequence[str], ids: np.ndarray, losses: np.ndarray, member: np.ndarray, variance: str
) -> pd.DataFrame:
    """`membership_lira`: one row for each target model and image. losses, member : (models, images); variance: of LiRA."""
    scores = lira_scores(losses, member, variance)
    return pd.concat(
        pd.DataFrame(
            {"point": point, "image_id": ids, "member": member[i], "loss": losses[i], "lira": scores[i]}
        )
        for i, point in enumerate(points)
    )  # fmt: skip


def _add(out: Measures, measure: str, found: Share) -> None:
    out.add(measure, found.value, found.n, found.low, found.high, found.note)


def membership_measures(
    table: pd.DataFrame,
    fprs: Sequence[float],
    resamples: int,
    confidence: float,
    seed: int,
    out: Measures,
) -> None:
    """Both attacks over all targets together, on the images that LiRA can say something of.

    table : `membership_lira`. The bootstrap is over images; `lira-loss` is the difference on the same draws.
    """
    some = table[np.isfinite(table["lira"])]
    member, ids = some["member"].to_numpy(bool), some["image_id"].to_numpy()
    draws = (resamples, confidence, seed)
    attacks = {
        name: Attack(x.to_numpy(float), member, ids)
        for name, x in (("loss", -some["loss"]), ("lira", some["lira"]))
    }
    for form, fpr in (("auc:{}", None), *((f"tpr:{{}}@{fpr:g}", fpr) for fpr in fprs)):
        found = {name: attack.measure(fpr, *draws) for name, attack in attacks.items()}
        for name, share in found.items():
            _add(out, form.format(name), share)
        _add(out, form.format("lira-loss"), difference(found["lira"], found["loss"], *draws))


def inpainting_measures(
    ids: np.ndarray,
    errors: np.ndarray,
    member: np.ndarray,
    variance: str,
    draws: tuple[int, float, int],
    out: Measures,
) -> None:
    """auc:inpainting (low error: a member) and, told by each image's own errors, auc:inpainting_lira.

    errors, member : (models, images). variance : of LiRA. draws : resamples, confidence and seed of the bootstrap
    """
    images, inside = np.tile(ids, len(errors)), member.ravel()
    calibrated = lira_scores(errors, member, variance)
    for name, scores in (("inpainting", -errors), ("inpainting_lira", calibrated)):
        _add(out, f"auc:{name}", Attack(scores.ravel(), inside, images).measure(None, *draws))


def outlier_membership(
    table: pd.DataFrame,
    distance: pd.Series,
    resamples: int,
    confidence: float,
    seed: int,
    out: Measures,
) -> None:
    """spearman:outlier_lira: correlation of an image's distance to all others and the certainty that it is a member.

    table : `membership_lira`; an image's score is the mean over the models that have seen it.
    distance : of each image_id to its neighbours (`relative.outlier_distances`)
    """
    lira = table[table["member"]].groupby("image_id")["lira"].mean()
    x = distance.reindex(lira.index).to_numpy(float)
    rho, low, high = rank_correlation(x, lira.to_numpy(float), resamples, confidence, seed)
    known = np.isfinite(x) & np.isfinite(lira)
    out.add("spearman:outlier_lira", rho, int(known.sum()), low, high)


def by_image(ids: np.ndarray, values: np.ndarray) -> pd.Series:
    """Values (n,) by image_id (n,)."""
    return pd.Series(values, index=ids)


def inpainting_table(
    points: Sequence[str], ids: np.ndarray, errors: np.ndarray, member: np.ndarray
) -> pd.DataFrame:
    """`membership_inpainting`: one row for each model and image. errors, member : (models, images)."""
    return pd.concat(
        pd.DataFrame({"point": point, "image_id": ids, "member": member[i], "error": errors[i]})
        for i, point in enumerate(points)
    )
