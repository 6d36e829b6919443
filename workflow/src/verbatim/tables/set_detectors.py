"""Scores on published prompt sets as detectors, each beside the best baseline that reads the captions alone.

Published positives are headlines and product names, published negatives sentences: what a detector reaches on such a set
says little unless it is compared with what captions reach. Folds, halves and bootstrap draws are of whole
families of near-duplicate captions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from verbatim.metrics.caption_families import caption_families
from verbatim.metrics.intervals import (
    NOTHING,
    Interval,
    bootstrap_interval,
    count_units,
    group_units,
)
from verbatim.metrics.roc import Share, difference, weighted_auc
from verbatim.tables.blind import (
    FITTED,
    SET_BLIND,
    describe_captions,
    describe_style,
    predict_from_style,
    score_words,
)
from verbatim.tables.detectors import fill_unscored, read_tail
from verbatim.tables.statistics import EvaluationSettings, split_groups

NEGATIVES = ("published", "same_template", "same_subject")
BASELINE = ("set", "negatives", "detector", "direction", "auc", "low", "high")
POOLED = "log odds of several fits share a threshold"


@dataclass(frozen=True)
class Comparison:
    """Positives of a set and one kind of its negatives.

    negatives : one of `NEGATIVES`, or none. prompts : prompt_id, caption, positive (bool), family (int); each prompt once;
    index 0 to n - 1.
    """

    set: str
    negatives: str
    prompts: pd.DataFrame

    @property
    def compares(self) -> bool:
        """Whether there are negatives to compare with."""
        return not self.prompts["positive"].all()


def list_comparisons(sets: pd.DataFrame, least: float) -> Iterator[Comparison]:
    """Every set with every kind of its negatives, or with `none` where it is published without.

    Beside matched negatives stand only the positives that they were matched to, in one family with them.

    Parameters
    ----------
    sets : a `prompt_sets` table
    least : Jaccard index of the words from which captions are near-duplicates, in (0, 1]
    """
    usable = sets[sets["status"].eq("ok")]
    for name, one in usable.groupby("set", sort=False):
        for kind in NEGATIVES:
            negatives = one[one["side"].eq("negative") & one["source"].eq(kind)]
            positives = one[one["side"].eq("positive")]
            if kind != "published":
                positives = positives[positives["prompt_id"].isin(negatives["match"])]
            if positives.empty or (negatives.empty and kind != "published"):
                continue
            prompts = pd.concat([positives, negatives], ignore_index=True)
            family = caption_families(prompts["caption"].tolist(), least, _ties(prompts))
            table = prompts[["prompt_id", "caption"]].assign(
                positive=prompts["side"].eq("positive"), family=family
            )
            yield Comparison(str(name), kind if len(negatives) else "none", table)


def _ties(prompts: pd.DataFrame) -> list[tuple[str, ...]]:
    """What ties a prompt to others beside its words: addresses of its images, and the positive it was matched to."""
    match = prompts["match"].where(prompts["match"].ge(0), prompts["prompt_id"])
    return [
        (f"match {number}", *(f"image {url}" for url in urls.split("\n") if url))
        for number, urls in zip(match, prompts["images"], strict=True)
    ]


@dataclass(frozen=True)
class _Column:
    """One detector's values of a comparison, high for positives, and the fits that they come from."""

    values: pd.Series
    strata: np.ndarray | None = None
    direction: str = "high"


def _blind_columns(prompts: pd.DataFrame, settings: EvaluationSettings) -> dict[str, _Column]:
    """Baselines that read the captions alone (`SET_BLIND`).

    A baseline that is low for positives separates them as well as one that is high, so a single number takes the
    direction that separates better: one bit that is chosen on the data. Fitted ones learn it on the other folds.
    """
    positive = prompts["positive"]
    table = prompts.rename(columns={"family": "group"})
    words, part = score_words(table, positive, ~positive, settings.folds, settings.seed)
    fold = part.to_numpy()
    style = predict_from_style(prompts["caption"], positive.to_numpy(), fold)
    single = describe_captions(prompts["caption"]).join(
        describe_style(prompts["caption"])["capitalised_words"]
    )
    columns = {
        "bag_of_words": _Column(words, fold),
        "style": _Column(pd.Series(style, index=prompts.index), fold),
    }
    weight = np.ones((1, len(prompts)))
    for name in single:
        values = single[name]
        area = weighted_auc(values.to_numpy(), positive.to_numpy(), weight)[0]
        columns[str(name)] = _Column(-values, None, "low") if area < 0.5 else _Column(values)
    return {name: columns[name] for name in SET_BLIND}


def _area(column: _Column, prompts: pd.DataFrame, settings: EvaluationSettings) -> Share:
    """Area under the ROC curve with its bootstrap interval over families; fitted values are compared within a fold."""
    x, positive = column.values.to_numpy(float), prompts["positive"].to_numpy(bool)
    of, n = group_units(prompts["family"])

    def statistic(positions: np.ndarray) -> np.ndarray:
        return weighted_auc(x, positive, count_units(positions, n)[:, of], column.strata)

    found = bootstrap_interval(statistic, n, settings.resamples, settings.confidence, settings.seed)
    return Share(*found, int((~positive).sum()), statistic=statistic, units=n)


def score_comparison(
    comparison: Comparison, scores: pd.DataFrame, settings: EvaluationSettings
) -> pd.DataFrame:
    """Every score of one model, and every blind baseline, on one comparison.

    A prompt without a score counts as the lowest.

    Parameters
    ----------
    scores : from `join_scores`; without columns for the blind baselines alone

    Returns
    -------
    set, negatives, detector, blind, direction (high or low for positives), auc, low, high; then what `read_tail`
        adds; n_pos, n_neg, families, share_pos, share_neg (with a score), best_blind (the baseline of the largest
        area), best_auc, gain (auc minus best_auc, on the same draws of families), gain_low, gain_high; NaN of
        gain for the blind ones
    """
    prompts = comparison.prompts
    positive, family = prompts["positive"], prompts["family"]
    blind = _blind_columns(prompts, settings)
    known = scores.reindex(prompts["prompt_id"]).set_index(prompts.index)
    columns = {str(name): _Column(known[name]) for name in known} | blind
    half = split_groups(family, positive, 2, settings.seed)
    areas = {
        name: _area(_Column(fill_unscored(one.values), one.strata), prompts, settings)
        for name, one in columns.items()
    }
    best = max(blind, key=lambda name: np.nan_to_num(areas[name].value, nan=-1.0))
    rows: list[dict[str, Any]] = []
    for name, one in columns.items():
        scored, area = one.values.notna(), areas[name]
        tail = read_tail(
            fill_unscored(one.values), positive, family, half, settings, comparable=True
        )
        if name in FITTED:
            tail["tpr_note"] = "; ".join(filter(None, (str(tail["tpr_note"]), POOLED)))
        gain = NOTHING
        if name not in blind:
            how = (settings.resamples, settings.confidence, settings.seed)
            found = difference(area, areas[best], *how)
            gain = Interval(found.value, found.low, found.high)
        rows.append(
            {
                "set": comparison.set, "negatives": comparison.negatives, "detector": name,
                "blind": name in blind, "direction": one.direction, "auc": area.value, "low": area.low,
                "high": area.high, **tail, "n_pos": int(positive.sum()), "n_neg": int((~positive).sum()),
                "families": int(family.nunique()), "share_pos": float(scored[positive].mean()),
                "share_neg": float(scored[~positive].mean()), "best_blind": best,
                "best_auc": areas[best].value,
                "gain": gain.value, "gain_low": gain.low, "gain_high": gain.high,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def score_baselines(comparison: Comparison, settings: EvaluationSettings) -> pd.DataFrame:
    """The blind baselines alone: `score_comparison` without its columns on scores."""
    nothing = pd.DataFrame(index=pd.Index([], dtype="int64", name="prompt_id"))
    table = score_comparison(comparison, nothing, settings)
    return table.drop(
        columns=["blind", "share_pos", "share_neg", "best_blind", "best_auc", "gain", "gain_low", "gain_high"]
    )  # fmt: skip
