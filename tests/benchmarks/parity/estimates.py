"""Frechet distance, areas, intervals and agreement, beside scipy, scikit-learn and statsmodels.

Where a number of ours comes from one of these, the other side is another of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import linalg, stats
from sklearn import metrics

from verbatim.metrics.fdr import benjamini_hochberg
from verbatim.metrics.intervals import (
    clopper_pearson,
    newcombe,
    rank_correlation,
    t_interval,
    wilson,
)
from verbatim.metrics.roc import allowed_alarms, weighted_auc, weighted_tpr
from verbatim.similarity.quality import frechet_distance
from verbatim.tables.agreement import kappa
from verbatim.tables.blind import predict_from_words
from verbatim.tables.statistics import split_groups

from .comparison import Comparison, Measured, largest, relative

SETS, CONFIDENCE = 40, 0.95
COUNTS = [(k, n) for n in (1, 2, 7, 30, 344, 5000) for k in sorted({0, 1, n // 3, n - 1, n})]


def drawn_features(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of correlated features, 32 to 128 numbers each."""
    rng = np.random.default_rng([3, number])
    dim = int(rng.choice([32, 64, 128]))
    mix = rng.normal(size=(dim, dim)) / np.sqrt(dim)
    return rng.normal(size=(600, dim)) @ mix, rng.normal(0.1, 1.2, size=(400, dim)) @ mix + 0.2


def measure_frechet(folder: Path) -> Measured:
    """Heusel 2017, eq. 6, by scipy's matrix square root."""
    ours, theirs = [], []
    for number in range(10):
        a, b = drawn_features(number)
        one, two = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
        apart = a.mean(0) - b.mean(0)
        root = np.real(linalg.sqrtm(one @ two))
        theirs.append(apart @ apart + np.trace(one + two - 2 * root))
        ours.append(frechet_distance(a, b))
    return Measured(len(ours), relative(ours, theirs))


def measure_clean_fid(folder: Path) -> Measured:
    from cleanfid.fid import frechet_distance as theirs_of

    ours, theirs = [], []
    for number in range(10):
        a, b = drawn_features(number)
        moments = [value for x in (a, b) for value in (x.mean(0), np.cov(x, rowvar=False))]
        theirs.append(theirs_of(*moments))
        ours.append(frechet_distance(a, b))
    return Measured(len(ours), relative(ours, theirs))


def drawn_scores() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Scores with ties, which are positive, and weights as a bootstrap draw gives them."""
    for number in range(SETS):
        rng = np.random.default_rng([4, number])
        n = int(rng.integers(30, 500))
        positive = rng.random(n) < 0.4
        scores = np.round(rng.normal(positive, 1), int(rng.integers(0, 4)))
        yield scores, positive, rng.multinomial(n, np.full(n, 1 / n)).astype(float)


def measure_auc(folder: Path) -> Measured:
    ours, theirs = [], []
    for scores, positive, weight in drawn_scores():
        both = np.stack([np.ones_like(weight), weight])
        ours += weighted_auc(scores, positive, both).tolist()
        theirs += [metrics.roc_auc_score(positive, scores, sample_weight=some) for some in both]
    return Measured(len(ours), largest(ours, theirs))


def measure_tpr(folder: Path) -> Measured:
    """The best true positive rate on scikit-learn's curve among the points with as few false alarms as are allowed."""
    ours, theirs = [], []
    for scores, positive, _ in drawn_scores():
        false, true, _ = metrics.roc_curve(positive, scores, drop_intermediate=False)
        negatives = int((~positive).sum())
        for fpr in (0.05, 0.1):
            allowed = allowed_alarms(negatives, fpr)
            if allowed >= 0:
                theirs.append(true[np.rint(false * negatives) <= allowed].max())
                ours.append(weighted_tpr(scores, positive, np.ones((1, len(scores))), fpr)[0])
    return Measured(len(ours), largest(ours, theirs))


def measure_wilson(folder: Path) -> Measured:
    ours = [wilson(k, n, CONFIDENCE) for k, n in COUNTS]
    theirs = [stats.binomtest(k, n).proportion_ci(CONFIDENCE, "wilson") for k, n in COUNTS]
    return Measured(len(COUNTS), largest(ours, [tuple(found) for found in theirs]))


def measure_exact(folder: Path) -> Measured:
    inner = [(k, n) for k, n in COUNTS if 0 < k < n]  # at 0 and n ours is one-sided
    ours = [clopper_pearson(k, n, CONFIDENCE) for k, n in inner]
    theirs = [tuple(stats.binomtest(k, n).proportion_ci(CONFIDENCE, "exact")) for k, n in inner]
    return Measured(len(inner), largest(ours, theirs))


def measure_newcombe(folder: Path) -> Measured:
    """Newcombe 1998, method 10, from the Wilson intervals of scipy."""
    rng, ours, theirs = np.random.default_rng(5), [], []
    for _ in range(SETS):
        a, b = (rng.random(int(rng.integers(5, 300))) < rng.random() for _ in range(2))
        p, q = a.mean(), b.mean()
        (p_low, p_high), (q_low, q_high) = (
            stats.binomtest(int(x.sum()), len(x)).proportion_ci(CONFIDENCE, "wilson")
            for x in (a, b)
        )
        theirs.append(
            (p - q - np.hypot(p - p_low, q_high - q), p - q + np.hypot(p_high - p, q - q_low))
        )
        ours.append(newcombe(a, b, CONFIDENCE)[1:])
    return Measured(len(ours), largest(ours, theirs))


def measure_t(folder: Path) -> Measured:
    from statsmodels.stats.weightstats import DescrStatsW

    rng, ours, theirs = np.random.default_rng(6), [], []
    for n in (2, 3, 4, 10, 100) * 4:
        x = rng.normal(1, 3, n)
        ours.append(t_interval(x, CONFIDENCE))
        theirs.append(DescrStatsW(x).tconfint_mean(1 - CONFIDENCE))
    return Measured(len(ours), relative(ours, theirs))


def measure_kappa(folder: Path) -> Measured:
    rng, ours, theirs = np.random.default_rng(7), [], []
    for _ in range(SETS):
        k = int(rng.integers(2, 5))
        a = rng.integers(0, k, 200)
        b = np.where(rng.random(200) < 0.6, a, rng.integers(0, k, 200))
        ours.append(kappa(metrics.confusion_matrix(a, b, labels=range(k))))
        theirs.append(metrics.cohen_kappa_score(a, b))
    return Measured(len(ours), largest(ours, theirs))


def measure_fdr(folder: Path) -> Measured:
    from statsmodels.stats.multitest import multipletests

    rng, worst, n = np.random.default_rng(8), 0.0, 0
    for size in (1, 2, 10, 344, 2000):
        p = np.where(rng.random(size) < 0.3, rng.random(size) / 1000, rng.random(size))
        worst = max(worst, largest(benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1]))
        n += size
    return Measured(n, worst)


def measure_ranks(folder: Path) -> Measured:
    rng, ours, theirs = np.random.default_rng(9), [], []
    for _ in range(SETS):
        a = np.round(rng.normal(size=60), 1)
        b = np.round(a + rng.normal(size=60), 1)
        ours.append(rank_correlation(a, b, 9, CONFIDENCE, 0).value)
        theirs.append(stats.spearmanr(a, b).statistic)
    return Measured(len(ours), largest(ours, theirs))


def drawn_captions() -> pd.DataFrame:
    """Captions in families: `caption`, `group`, `positive`."""
    rng = np.random.default_rng(10)
    words = np.array([f"word{i}" for i in range(60)])
    rows = []
    for group in range(120):
        positive = bool(rng.random() < 0.5)
        base = rng.choice(words[: 50 if positive else 60], 6)
        for _ in range(int(rng.integers(1, 5))):
            rows.append((" ".join([*base, str(rng.choice(words))]), f"family{group}", positive))
    return pd.DataFrame(rows, columns=["caption", "group", "positive"])


def measure_leaks(folder: Path) -> Measured:
    """Families of captions that lie in more than one fold or half."""
    table, leaks, n = drawn_captions(), 0, 0
    for seed in range(SETS):
        for parts in (2, 5):
            part = split_groups(table["group"], table["positive"], parts, seed)
            leaks += int((pd.Series(part).groupby(table["group"]).nunique() > 1).sum())
            n += table["group"].nunique()
    return Measured(n, leaks, "halves and folds")


def measure_words(folder: Path) -> Measured:
    """scikit-learn's own cross-validation of the whole pipeline: no word of a held-out fold is known to its fit."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import PredefinedSplit, cross_val_predict
    from sklearn.pipeline import make_pipeline

    table = drawn_captions()
    positive = table["positive"].to_numpy()
    part = split_groups(table["group"], positive, 5, 0)
    model = make_pipeline(
        CountVectorizer(binary=True, token_pattern=r"(?u)\b\w+\b"),
        LogisticRegression(max_iter=1000, class_weight="balanced"),
    )
    theirs = cross_val_predict(
        model, table["caption"], positive, cv=PredefinedSplit(part), method="decision_function"
    )
    return Measured(
        len(table), largest(predict_from_words(table["caption"], positive, part), theirs)
    )


COMPARISONS = [
    Comparison(
        "Frechet distance", "similarity.quality.frechet_distance", "scipy.linalg.sqrtm", 3e-8, "relative", measure_frechet,
    ),
    Comparison(
        "Frechet distance", "similarity.quality.frechet_distance", "cleanfid.fid.frechet_distance", 3e-8, "relative",
        measure_clean_fid, {"cleanfid.fid": "clean-fid"},
    ),
    Comparison(
        "AUC, ties and weights", "metrics.roc.weighted_auc", "sklearn.metrics.roc_auc_score", 1e-12, "absolute", measure_auc,
    ),
    Comparison(
        "true positive rate at a rate of alarms", "metrics.roc.weighted_tpr", "sklearn.metrics.roc_curve", 1e-12, "absolute",
        measure_tpr,
    ),
    Comparison(
        "Wilson's interval", "metrics.intervals.wilson", "scipy.stats.binomtest", 1e-12, "absolute", measure_wilson,
    ),
    Comparison(
        "Clopper and Pearson's interval", "metrics.intervals.clopper_pearson", "scipy.stats.binomtest", 1e-9, "absolute",
        measure_exact,
    ),
    Comparison(
        "Newcombe's interval", "metrics.intervals.newcombe", "method 10, from scipy's Wilson intervals", 1e-12, "absolute",
        measure_newcombe,
    ),
    Comparison(
        "Student's t interval", "metrics.intervals.t_interval", "statsmodels DescrStatsW.tconfint_mean", 1e-10, "relative",
        measure_t,
    ),
    Comparison(
        "Cohen's kappa", "tables.agreement.kappa", "sklearn.metrics.cohen_kappa_score", 1e-12, "absolute", measure_kappa,
    ),
    Comparison(
        "false discovery rate", "metrics.fdr.benjamini_hochberg", "statsmodels multipletests", 1e-12, "absolute", measure_fdr,
    ),
    Comparison(
        "Spearman's correlation", "metrics.intervals.rank_correlation", "scipy.stats.spearmanr", 1e-12, "absolute",
        measure_ranks,
    ),
    Comparison(
        "families split between folds", "tables.statistics.split_groups", "pandas nunique", 0, "families", measure_leaks,
    ),
    Comparison(
        "bag of words, out of fold", "tables.blind.predict_from_words", "sklearn cross_val_predict", 1e-9, "absolute",
        measure_words,
    ),
]  # fmt: skip
