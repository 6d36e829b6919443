"""False discovery rates, by scipy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def benjamini_hochberg(p: ArrayLike) -> np.ndarray:
    """q-values (n,): the least false discovery rate at which each p-value is a discovery.

    Benjamini and Hochberg 1995, `scipy.stats.false_discovery_control`. A NaN stays NaN and is no test.
    """
    from scipy.stats import false_discovery_control

    x = np.asarray(p, float)
    q = np.full(len(x), np.nan)
    there = np.isfinite(x)
    if there.any():
        q[there] = false_discovery_control(x[there], method="bh")
    return q
