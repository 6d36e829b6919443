"""Every score against matched held-out prompts, by kind of duplicate and by how often it was met.

Only a world whose copies are known can say how a detector's reach grows with the count of copies.
One threshold serves all kinds of a detector: it is chosen on half of the held-out prompts and judged
on the other half.
"""

from __future__ import annotations

import pandas as pd

from verbatim.tables.blind import BLIND, describe_captions, rank_in_folds, score_words
from verbatim.tables.detectors import fill_unscored
from verbatim.tables.statistics import (
    EvaluationSettings,
    auc_interval,
    pass_threshold,
    roc_points,
    share_interval,
    split_groups,
)
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

    Negatives are the held-out prompts that were matched to pictures of the kind, or all held-out
    prompts where none were: then positives and negatives differ in style too, as the blind scores
    show, and `matched` is False.

    The bag of words is fitted to tell all planted prompts from the held-out ones, and its scores are
    ranked within their fold. As in `score_detectors`, a prompt without a score counts as the lowest.

    Parameters
    ----------
    prompts : from `describe_prompts`; scores : from `join_scores`

    Returns
    -------
    kinds : detector, blind, kind, count ("all", or how often it is met), auc, low, high, tpr (share
        of the kind above the threshold for settings.fpr: the detector's recall), tpr_low, tpr_high,
        fpr (reached), n_pos, n_neg, matched, groups (unique pictures or families among the positives), note
    roc : detector, kind, fpr, tpr
    """
    table = prompts.reset_index(drop=True)
    is_neg = table["kind"].eq("held_out") & table["match"].ge(0)
    is_pos = table["kind"].isin(PLANTED)
    table = table[is_pos | is_neg].reset_index(drop=True)
    positive = table["kind"].isin(PLANTED)
    words, part = score_words(table, positive, ~positive, settings.folds, settings.seed)
    columns = list_scores(table, scores, rank_in_folds(words, part))
    sets: list[tuple[str, str, pd.Series]] = []
    for kind in PLANTED:
        of_kind = table["kind"].eq(kind)
        sets += [(kind, "all", of_kind)] if of_kind.any() else []
        for count in sorted(table.loc[of_kind, "count"].unique()):
            sets.append((kind, str(count), of_kind & table["count"].eq(count)))
    half = split_groups(table["group"], positive, 2, settings.seed)
    filled = {name: fill_unscored(values) for name, values in columns.items()}
    passed = {name: pass_threshold(x, positive, half, settings.fpr) for name, x in filled.items()}
    how = (settings.resamples, settings.confidence, settings.seed)
    kinds, curves = [], []
    for kind, count, chosen in sets:  # outside: all detectors of a set share its bootstrap draws
        of_kind = ~positive & table["match_kind"].eq(kind)
        matched = bool(of_kind.any())
        either, group = chosen | (of_kind if matched else ~positive), table["group"]
        for name, values in filled.items():
            above, note = passed[name]
            auc, low, high = auc_interval(values[either], chosen[either], group[either], *how)
            share, reached = (float("nan"),) * 3, float("nan")
            if above is not None:
                share = share_interval(above[chosen], group[chosen], *how)
                reached = float(above[~positive].mean())
            kinds.append(
                {
                    "detector": name, "blind": name in BLIND, "kind": kind, "count": count,
                    "auc": auc, "low": low, "high": high, "tpr": share[0], "tpr_low": share[1],
                    "tpr_high": share[2], "fpr": reached, "n_pos": int(chosen.sum()),
                    "n_neg": int(either.sum() - chosen.sum()), "matched": matched, "groups": group[chosen].nunique(), "note": note,
                }
            )  # fmt: skip
            if count == "all" and (~positive).any():
                fpr, tpr = roc_points(values[either], chosen[either])
                curves.append(
                    pd.DataFrame({"detector": name, "kind": kind, "fpr": fpr, "tpr": tpr})
                )
    empty = pd.DataFrame(columns=["detector", "kind", "fpr", "tpr"])
    return pd.DataFrame(kinds), pd.concat(curves, ignore_index=True) if curves else empty
