"""Our labels against the authors', prompt by prompt."""

from __future__ import annotations

import numpy as np
import pandas as pd

from verbatim.io.authors import TYPES

VERDICTS = (*TYPES, "review", "missing")


def verdicts(labels: pd.DataFrame) -> pd.Series:
    """MV, RV, TV, N as Table 1 counts them; `review` if a guard set the prompt aside; `missing`."""
    out = labels["label"].where(~labels["review"], "review")
    return out.where(labels["label"] != "missing", "missing")


def kappa(counts: np.ndarray) -> np.ndarray:
    """Cohen's kappa of square tables of counts (..., k, k): (...), NaN where chance alone agrees fully.

    Cohen 1960: (p_o - p_e) / (1 - p_e), of the observed and the expected share of agreement.
    """
    counts = np.asarray(counts, dtype=float)
    total = counts.sum((-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.trace(counts, axis1=-2, axis2=-1) / total
        expected = (counts.sum(-1) * counts.sum(-2)).sum(-1) / total**2
        return np.where(expected < 1, (observed - expected) / (1 - expected), np.nan)


def kappa_interval(
    counts: np.ndarray, resamples: int, confidence: float, seed: int
) -> tuple[float, float, float]:
    """`kappa` of one table (k, k), and its bootstrap interval over prompts (percentiles).

    Drawing the prompts again with replacement draws the table from a multinomial of its cells. NaN
    where there is no prompt, or no draw that has a kappa.
    """
    n, k = int(counts.sum()), len(counts)
    if not n:
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    drawn = kappa(rng.multinomial(n, counts.ravel() / n, size=resamples).reshape(-1, k, k))
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return float(kappa(counts)), float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(kappa(counts)), float(low), float(high)


def compare_authors(
    labels: pd.DataFrame, authors: pd.DataFrame, resamples: int, confidence: float, seed: int
) -> pd.DataFrame:
    """One model's labels against the authors', over the captions that both judged.

    Parameters
    ----------
    labels : a `labels` table.
    authors : as `authors.read_labels` gives it; of a caption that occurs twice the first counts.

    Returns
    -------
    measure, theirs, ours, value, n, low, high. Measures: `prompts` (a confusion table: how many they call
    `theirs` and we `ours`, zeros left out); `agreement` (share of equal verdicts) and `kappa` over MV, RV,
    TV, N; `kappa_copy` over copy or not; `not_compared` (prompts that only one side has, or that occur
    twice). A prompt that we set aside for review is N in kappa and agreement, as in Table 1. A prompt that we
    could not judge is left out of them. n: prompts behind a value.
    """
    once = authors.drop_duplicates("caption")
    ours = pd.DataFrame({"caption": labels["caption"], "ours": verdicts(labels)})
    both = once[["caption", "overfit_type"]].merge(ours, on="caption")
    table = pd.crosstab(both["overfit_type"], both["ours"])
    table = table.reindex(index=list(TYPES), columns=list(VERDICTS), fill_value=0)
    rows: list[dict[str, object]] = [
        {"measure": "prompts", "theirs": theirs, "ours": mine, "value": count, "n": len(both)}
        for theirs, counts in zip(TYPES, table.to_numpy().tolist(), strict=True)
        for mine, count in zip(VERDICTS, counts, strict=True)
        if count
    ]
    counted = table[list(TYPES)].copy()
    counted["N"] += table["review"]
    square = counted.to_numpy()
    n = int(square.sum())
    equal = float(np.trace(square) / n) if n else float("nan")
    rows.append({"measure": "agreement", "value": equal, "n": n})
    copies = np.array(
        [square[:3, :3].sum(), square[:3, 3].sum(), square[3, :3].sum(), square[3, 3]]
    )
    for name, counts in (("kappa", square), ("kappa_copy", copies.reshape(2, 2))):
        value, low, high = kappa_interval(counts, resamples, confidence, seed)
        rows.append({"measure": name, "value": value, "n": n, "low": low, "high": high})
    alone = {
        "only theirs": len(once) - len(both),
        "only ours": len(labels) - len(both),
        "theirs twice": len(authors) - len(once),
    }
    for what, count in alone.items():
        rows.append({"measure": "not_compared", "theirs": what, "value": count, "n": count})
    columns = ["measure", "theirs", "ours", "value", "n", "low", "high"]
    out = pd.DataFrame(rows, columns=columns)
    return out.assign(theirs=out["theirs"].fillna(""), ours=out["ours"].fillna(""))
