"""Was this image in the training set? LiRA, with shadow models.

Carlini et al. 2022, "Membership Inference Attacks From First Principles" (arXiv 2112.03570) and its public code
(tensorflow/privacy, research/mi_lira_2021/plot.py); Carlini et al. 2023, section 5.2, on diffusion models: the loss at
one timestep, averaged over noises and flips. Every shadow model is the target once, with the others as its shadows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

VARIANCES = ("fixed", "per_example")
LEAST = 1e-30  # added to every standard deviation, as in the public code


def lira_scores(losses: ArrayLike, member: ArrayLike, variance: str) -> np.ndarray:
    """log N(loss | in) - log N(loss | out) of each image in each model: high means a member.

    Carlini 2022, algorithm 1 (online), as the public code estimates it: an image's Gaussians have the medians of its
    losses over the other models that have seen it and over those that have not, and standard deviations

    - `per_example`: of these same losses, of each image and side (no Bessel correction);
    - `fixed`: one number for both sides of all images, the standard deviation of all losses of images in models
      that have seen them. For few shadow models (there: section VI-A).

    Parameters
    ----------
    losses : (models, images), finite
    member : bool (models, images)
    variance : one of VARIANCES

    Returns
    -------
    (models, images); NaN where no other model has seen the image, or all have; with `per_example` also where a
    side has fewer than two

    Raises
    ------
    ValueError : shapes differ, a loss is not finite, or the variance is unknown
    """
    from scipy.stats import norm

    x, inside = np.asarray(losses, float), np.asarray(member, bool)
    if variance not in VARIANCES:
        raise ValueError(f"variance {variance!r} is unknown; known: {', '.join(VARIANCES)}")
    if x.shape != inside.shape or x.ndim != 2:
        raise ValueError(f"losses {x.shape} and member {inside.shape} must be (models, images)")
    if not np.isfinite(x).all():
        raise ValueError(f"{int((~np.isfinite(x)).sum())} of {x.size} losses are not finite")
    scores = np.full(x.shape, np.nan)
    for target in range(len(x)):
        others = np.arange(len(x)) != target
        seen = inside[others]
        fixed = x[others][seen].std() if seen.any() else np.nan
        logs = []
        for side in (seen, ~seen):
            values = np.ma.masked_array(x[others], ~side)
            middle = np.ma.median(values, axis=0).filled(np.nan)
            own = values.std(axis=0).filled(np.nan)
            own[side.sum(0) < 2] = np.nan
            spread = fixed if variance == "fixed" else own
            logs.append(norm.logpdf(x[target], middle, spread + LEAST))
        scores[target] = logs[0] - logs[1]
    return scores
