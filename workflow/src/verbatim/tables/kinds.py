"""Every score against matched held-out prompts, by kind of duplicate and by its count.

Only a world whose copies are known shows how a detector's recall grows with the count of copies. Each kind has its
own negatives and so its own threshold, chosen on one half of them and applied to the other. All counts of the kind
share it.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from verbatim.metrics.intervals import Draws, share_interval
from verbatim.metrics.roc import auc_interval, pass_threshold, roc_points
from verbatim.tables.blind import BLIND, describe_captions, rank_in_folds, score_words
from verbatim.tables.detectors import fill_unscored
from verbatim.tables.statistics import EvaluationSettings, split_groups
from verbatim.tables.truth import PLANTED


def list_scores(
    table: pd.DataFrame, scores: pd.DataFrame, words: pd.Series
) -> dict[str, pd.Series]:
    """Every score of the prompts of `table`, in its order: the detectors, then the blind ones."""
    known = scores.reindex(table["prompt_id"]).set_index(table.index)
    blind = describe_captions(table["caption"])
    columns = {name: known[name] for name in known.columns}
    return columns | {name: blind[name] for name in blind.columns} | {"bag_of_words": words}


def score_kinds(
    prompts: pd.DataFrame, scores: pd.DataFrame, settings: EvaluationSettings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Area, recall and curve of every detector of one model on every kind of planted prompt.

    Negatives are the held-out prompts that were matched to images of the kind. Where none were, they
    are all held-out prompts: then positives and negatives differ in style too, as the blind scores
    show, and `matched` is False.

    The bag of words is fitted to tell the prompts of a kind from its negatives, and its scores are
    ranked within their fold. As in `score_detectors`, a prompt without a score counts as the lowest
    of its comparison.

    Parameters
    ----------
    prompts : from `describe_prompts`; scores : from `join_scores`

    Returns
    -------
    kinds : detector, blind, kind, count ("all", or how often it is met), auc, low, high, tpr (share
        of the kind above the threshold for settings.fpr: the detector's recall), tpr_low, tpr_high,
        fpr (reached), n_pos, n_neg, matched, groups (unique images or families among the positives), note
    roc : detector, kind, fpr, tpr
    """
    known = prompts.reset_index(drop=True)
    held_out = known["kind"].eq("held_out") & known["match"].ge(0)
    kinds: list[dict[str, Any]] = []
    curves = [pd.DataFrame(columns=["detector", "kind", "fpr", "tpr"])]
    for kind in PLANTED:
        is_pos = known["kind"].eq(kind)
        is_neg = held_out & known["match_kind"].eq(kind)
        matched = bool(is_neg.any())
        if is_pos.any():
            some = known[is_pos | (is_neg if matched else held_out)].reset_index(drop=True)
            lines, curve = _score_kind(kind, matched, some, scores, settings)
            kinds += lines
            curves += curve
    drawn = [curve for curve in curves if len(curve)] or curves
    return pd.DataFrame(kinds), pd.concat(drawn, ignore_index=True)


def _score_kind(
    kind: str,
    matched: bool,
    table: pd.DataFrame,
    scores: pd.DataFrame,
    settings: EvaluationSettings,
) -> tuple[list[dict[str, Any]], list[pd.DataFrame]]:
    """Lines and curves of one kind: `table` has its prompts and their negatives, and nothing else."""
    positive = table["kind"].eq(kind)
    # a planted image and its negatives share a fold: apart, either would tell what the other is not
    sets_of = table.assign(group=table["group"].where(positive, table["match_group"]))
    words, part = score_words(sets_of, positive, ~positive, settings.folds, settings.seed)
    columns = list_scores(table, scores, rank_in_folds(words, part))
    filled = {name: fill_unscored(values) for name, values in columns.items()}
    group = table["group"]
    half = split_groups(group, positive, 2, settings.seed)
    passed = {name: pass_threshold(x, positive, half, settings.fpr) for name, x in filled.items()}
    how = Draws(settings.resamples, settings.confidence, settings.seed)
    sets = [("all", positive)] + [
        (str(count), positive & table["count"].eq(count))
        for count in sorted(table.loc[positive, "count"].unique())
    ]
    lines, curves = [], []
    for count, chosen in sets:  # outside: all detectors of a set share its bootstrap draws
        either = chosen | ~positive
        for name, values in filled.items():
            above, note = passed[name]
            auc, low, high = auc_interval(values[either], chosen[either], group[either], how)
            share, reached = (float("nan"),) * 3, float("nan")
            if above is not None:
                share = share_interval(above[chosen], group[chosen], *how)
                reached = float(above[~positive].mean())
            lines.append(
                {
                    "detector": name, "blind": name in BLIND, "kind": kind, "count": count,
                    "auc": auc, "low": low, "high": high, "tpr": share[0], "tpr_low": share[1],
                    "tpr_high": share[2], "fpr": reached, "n_pos": int(chosen.sum()),
                    "n_neg": int((~positive).sum()), "matched": matched,
                    "groups": group[chosen].nunique(), "note": note,
                }
            )  # fmt: skip
            if count == "all" and (~positive).any() and values.notna().any():
                fpr, tpr = roc_points(values[either], chosen[either])
                curves.append(
                    pd.DataFrame({"detector": name, "kind": kind, "fpr": fpr, "tpr": tpr})
                )
    return lines, curves
