"""Two criteria of a copy side by side: the labels by RMSE, and a copy descriptor's similarity above a threshold.

Wen 2024, NeMo 2024 and others call a generation a copy where its SSCD similarity to a training image exceeds 0.5 or 0.7.
The labels (Webster 2023) compare pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from verbatim.metrics.intervals import Draws, share_interval
from verbatim.tables.confusion import VERDICTS
from verbatim.tables.truth import KINDS, judge, list_prompts

LABELS = "labels"  # the criterion: MV, RV or TV, not set aside
COLUMNS = [
    "model", "criterion", "by", "group", "n", "missing", "found", "share", "low", "high", "own", "own_share",
    "own_low", "own_high", "preset",
]  # fmt: skip


def judge_similarities(
    labels: pd.DataFrame, nearest: pd.DataFrame, name: str, thresholds: Sequence[float]
) -> dict[str, pd.DataFrame]:
    """Criterion -> a table of the columns of `labels` that `truth.judge` reads, judged by similarity.

    Parameters
    ----------
    labels
        A `labels` table: its prompts are judged.
    nearest
        A `copy_neighbours` or `neighbours` table. Of a prompt's generations the one with the most similar training image counts; of
        ties the lower seed.
    name
        Of the descriptor: a criterion is {name}_{threshold}.

    Returns
    -------
    prompt_id, extra, label ("MV" above the threshold, else "N"; "missing" without a generation that was described),
    review (never), source_row
    """
    best = nearest[nearest["order"].eq(0)].sort_values(
        ["similarity", "seed"], ascending=[False, True]
    )
    best = best.drop_duplicates("prompt_id").set_index("prompt_id")
    table = labels[["prompt_id", "extra"]].assign(review=False)
    similarity = table["prompt_id"].map(best["similarity"])
    table["source_row"] = table["prompt_id"].map(best["row"]).fillna(-1).astype("int64")
    found = {}
    for threshold in thresholds:
        verdict = pd.Series("N", table.index).mask(similarity > threshold, "MV")
        label = verdict.mask(similarity.isna(), "missing")
        found[f"{name}_{threshold:g}"] = table.assign(label=label)
    return found


def compare_criteria(
    labels: pd.DataFrame,
    similar: Mapping[str, pd.DataFrame],
    truth: pd.DataFrame | None,
    draws: Draws,
) -> pd.DataFrame:
    """What each criterion calls a copy: by label, and where the truth is known by kind of prompt.

    Parameters
    ----------
    labels
        A `labels` table.
    similar
        From `judge_similarities`.
    truth
        A `truth` table, or None.

    Returns
    -------
    criterion (`labels`, or {descriptor}_{threshold}), by ("label": the groups are verdicts of the labels; "kind": kinds
    of the truth), group, n (prompts of the group with a verdict of the criterion), missing (those without), found
    (called a copy), share with low and high, own (called a copy of an image of this caption or of its template family),
    own_share with own_low and own_high; NaN by label. Intervals: bootstrap over images and families, by label over
    prompts.
    """
    verdict = labels["label"].mask(labels["review"] & labels["label"].ne("missing"), "review")
    lines = []
    for criterion, table in similar.items():
        copied, judged = table["label"].eq("MV"), table["label"].ne("missing")
        for label in VERDICTS:
            group = verdict.eq(label)
            if group.any():
                some = copied[group & judged]
                cells = _share("", some, table["prompt_id"][group & judged], draws)
                missing = int((group & ~judged).sum())
                lines.append(_line(criterion, "label", label, len(some), missing) | cells)
    if truth is not None:
        lines += _by_kind({LABELS: labels, **similar}, truth, draws)
    return pd.DataFrame(lines).reindex(columns=[c for c in COLUMNS if c not in ("model", "preset")])


def _by_kind(
    criteria: Mapping[str, pd.DataFrame], truth: pd.DataFrame, draws: Draws
) -> list[dict[str, Any]]:
    """Lines of every criterion and kind of the truth."""
    prompts = list_prompts(truth).set_index("prompt_id")
    lines = []
    for criterion, table in criteria.items():
        known = judge(table, truth)
        known = known.join(prompts[["kind", "group"]], on="prompt_id")
        for kind in KINDS:
            of_kind = known[known["kind"].eq(kind)]
            judged = of_kind[of_kind["judged"]]
            if len(of_kind):
                cells = _share("", judged["copied"], judged["group"], draws)
                own = _share("own_", judged["own_family"], judged["group"], draws)
                missing = len(of_kind) - len(judged)
                lines.append(_line(criterion, "kind", kind, len(judged), missing) | cells | own)
    return lines


def _line(criterion: str, by: str, group: str, n: int, missing: int) -> dict[str, Any]:
    return {"criterion": criterion, "by": by, "group": group, "n": n, "missing": missing}


def _share(prefix: str, hits: pd.Series, groups: pd.Series, draws: Draws) -> dict[str, Any]:
    """Hits, their share and its interval, as cells of a line."""
    share, low, high = share_interval(hits, groups, *draws)
    count = prefix.rstrip("_") or "found"
    return {
        count: int(hits.sum()), f"{prefix}share": share, f"{prefix}low": low, f"{prefix}high": high
    }  # fmt: skip
