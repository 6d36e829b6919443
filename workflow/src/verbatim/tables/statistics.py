"""The settings of an evaluation of detectors, and its halves and folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class EvaluationSettings:
    """How detectors are judged; the keys of the config block `tables`.

    fpr : false positive rate at which the true positive rate is read; fpr_strict : further ones.
    resamples, confidence, seed : of the bootstrap over groups; the seed also splits the groups.
    folds : of the bag of words.
    """

    fpr: float
    fpr_strict: tuple[float, ...]
    resamples: int
    folds: int
    confidence: float
    seed: int


def split_groups(groups: ArrayLike, is_positive: ArrayLike, parts: int, seed: int) -> np.ndarray:
    """Part 0 to `parts` - 1 of each prompt, (n,): whole groups, positives and negatives spread evenly."""
    frame = pd.DataFrame({"group": groups, "positive": np.asarray(is_positive, bool)})
    kinds = frame.groupby("group")["positive"].agg(
        ["mean", "size"]
    )  # sorted by name: no order to depend on
    kinds["draw"] = np.random.default_rng(seed).permutation(len(kinds))
    ordered = kinds.sort_values(["mean", "size", "draw"]).index
    part = pd.Series(np.arange(len(ordered)) % parts, index=ordered)
    return part.reindex(frame["group"]).to_numpy()
