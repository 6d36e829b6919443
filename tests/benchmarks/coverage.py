"""How often the intervals that tables print hold the true value: nominal against simulated.

    .venv/bin/python tests/benchmarks/coverage.py [draws]

Each line simulates data sets whose truth is known (default 400 of each) and counts the intervals of nominal 95 % that hold it.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

sys.path.insert(0, str(Path(__file__).parents[2] / "workflow/src"))
from verbatim.claims.contrasts import Values, estimate
from verbatim.metrics.intervals import (
    Draws,
    newcombe,
    percentile_interval,
    rank_correlation,
    share_interval,
    t_interval,
    wilson,
)
from verbatim.metrics.roc import Attack, auc_interval

NOMINAL, RESAMPLES = 0.95, 400
Ends = tuple[float, float]


def of_wilson(rng: np.random.Generator, share: float, n: int) -> tuple[float, Ends]:
    low, high = wilson(rng.binomial(n, share), n, NOMINAL)
    return share, (float(low), float(high))


def of_newcombe(rng: np.random.Generator, a: float, b: float, n: int) -> tuple[float, Ends]:
    return a - b, newcombe(rng.random(n) < a, rng.random(n) < b, NOMINAL)[1:]


def of_mean(rng: np.random.Generator, n: int) -> tuple[float, Ends]:
    return 0.0, t_interval(rng.normal(0, 1, n), NOMINAL)


def of_share(rng: np.random.Generator, groups: int, size: int) -> tuple[float, Ends]:
    """Hits of groups whose own shares are uniform: mean 0.5."""
    hits = rng.random((groups, size)) < rng.random(groups)[:, None]
    names = np.repeat(np.arange(groups), size)
    return 0.5, share_interval(hits.ravel(), names, RESAMPLES, NOMINAL, 0)[1:]


def of_auc(
    rng: np.random.Generator, positives: int, negatives: int, gap: float
) -> tuple[float, Ends]:
    x = np.append(rng.normal(gap, 1, positives), rng.normal(0, 1, negatives))
    n = positives + negatives
    found = auc_interval(x, np.arange(n) < positives, np.arange(n), Draws(RESAMPLES, NOMINAL, 0))
    return float(norm.cdf(gap / np.sqrt(2))), found[1:]


def of_tpr(rng: np.random.Generator, images: int, fpr: float) -> tuple[float, Ends]:
    """The truth is the rate above the quantile of all negatives; the threshold of a sample is above it on average."""
    member = np.arange(images) < images // 2
    scores = rng.normal(0, 1, images) + 1.5 * member
    found = Attack(scores, member, np.arange(images)).measure(fpr, RESAMPLES, NOMINAL, 0)
    return float(norm.sf(norm.isf(fpr) - 1.5)), (found.low, found.high)


def of_percentile(rng: np.random.Generator, n: int, percent: float) -> tuple[float, Ends]:
    found = percentile_interval(rng.normal(0, 1, n), percent, RESAMPLES, NOMINAL, 0)
    return float(norm.ppf(percent / 100)), found[1:]


def of_rank(rng: np.random.Generator, n: int, r: float) -> tuple[float, Ends]:
    a = rng.normal(0, 1, n)
    b = r * a + np.sqrt(1 - r**2) * rng.normal(0, 1, n)
    return 6 / np.pi * np.arcsin(r / 2), rank_correlation(a, b, RESAMPLES, NOMINAL, 0)[1:]


def of_runs(rng: np.random.Generator, kind: str, seeds: int, seed_sd: float) -> tuple[float, Ends]:
    """A contrast or a sum of runs without any effect; residuals of 1.

    kind : difference (of two of 12 points), mean (of 9 points), defence (against none at 3 points, of 5 defences;
    `seed_sd` is then what a seed does to a defence at all points alike).
    """
    names = [(f"p{i}", "none") for i in range(12)]
    x = rng.normal(0, 1, (12, seeds)) + rng.normal(0, seed_sd, seeds)
    weights = {names[0]: 1.0, names[1]: -1.0}
    if kind == "mean":
        weights = dict.fromkeys(names[:9], 1 / 9)
    if kind == "defence":
        names = [(f"p{i}", d) for d in ("none", *"abcde") for i in range(3)]
        models = np.tile(rng.normal(0, 3, (3, seeds)), (6, 1))
        shared = np.repeat(rng.normal(0, seed_sd, (6, seeds)), 3, axis=0)
        x = models + shared + rng.normal(0, 1, (18, seeds))
        weights = {(f"p{i}", d): w / 3 for d, w in (("none", 1), ("a", -1)) for i in range(3)}
    index = pd.MultiIndex.from_tuples(names, names=["point", "defence"])
    table = pd.DataFrame(x, index=index)
    found = estimate(Values(table, table * np.nan), weights, NOMINAL)
    assert found is not None
    return 0.0, (found.low, found.high)


CASES: dict[str, Callable[[np.random.Generator], tuple[float, Ends]]] = {
    "share, Wilson: 0.1 of 12": lambda rng: of_wilson(rng, 0.1, 12),
    "share, Wilson: 0.5 of 50": lambda rng: of_wilson(rng, 0.5, 50),
    "difference of shares, Newcombe: 0.1, 0.3 of 40": lambda rng: of_newcombe(rng, 0.1, 0.3, 40),
    "mean, Student's t: 3 values": lambda rng: of_mean(rng, 3),
    "share over groups, BCa: 12 groups of 5": lambda rng: of_share(rng, 12, 5),
    "share over groups, BCa: 50 groups of 2": lambda rng: of_share(rng, 50, 2),
    "area, BCa: 12 and 100, 0.90": lambda rng: of_auc(rng, 12, 100, 1.8),
    "area, BCa: 50 and 100, 0.90": lambda rng: of_auc(rng, 50, 100, 1.8),
    "area, BCa: 30 and 60, 0.64": lambda rng: of_auc(rng, 30, 60, 0.5),
    "true positive rate at 5 %, BCa: 200 images": lambda rng: of_tpr(rng, 200, 0.05),
    "95th percentile, BCa: 100 values": lambda rng: of_percentile(rng, 100, 95),
    "rank correlation 0.3, BCa: 100 pairs": lambda rng: of_rank(rng, 100, 0.3),
    "difference of points, 2 seeds": lambda rng: of_runs(rng, "difference", 2, 1.0),
    "mean of 9 points, 2 seeds": lambda rng: of_runs(rng, "mean", 2, 1.0),
    "defence at 3 points, 2 seeds": lambda rng: of_runs(rng, "defence", 2, 0.0),
    "the same, seeds act on a defence (not in the model)": lambda rng: of_runs(rng, "defence", 2, 1.0),
}  # fmt: skip


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    print(
        f"nominal {NOMINAL:g}, {draws} simulations, standard error {np.sqrt(0.05 * 0.95 / draws):.3f}"
    )
    for name, simulate in CASES.items():
        held = empty = 0
        for seed in range(draws):
            truth, (low, high) = simulate(np.random.default_rng(seed))
            held += low <= truth <= high
            empty += bool(np.isnan(low))
        print(
            f"{held / draws:.3f}  {name}" + (f" ({empty} without an interval)" if empty else ""),
            flush=True,
        )


if __name__ == "__main__":
    main()
