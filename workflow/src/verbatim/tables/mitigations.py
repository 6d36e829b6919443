"""Mitigations before and after a second attack: copies let out, what is left of the images, cost, and what brings the copies back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from verbatim.config.defence_kinds import OTHER_SEEDS, PROMPT
from verbatim.metrics.intervals import NOTHING, Draws, Interval, bootstrap_interval, wilson
from verbatim.metrics.roc import auc_interval

MEMORIZED, CONTROL = "memorized", "control"


def _share(hits: pd.Series, prompts: pd.Series, confidence: float) -> dict[str, float]:
    """Share of the prompts with a hit in any of their generations, with Wilson's interval; NaN for none."""
    each = hits.groupby(prompts).any()
    n, found = len(each), int(each.sum())
    low, high = wilson(found, n, confidence)
    return {"": found / n if n else np.nan, "_low": float(low), "_high": float(high)}


def _mean(values: pd.Series, prompts: pd.Series, draws: Draws) -> Interval:
    """Mean over prompts of their means, with the bootstrap's interval over prompts."""
    x = values.groupby(prompts).mean().dropna().to_numpy(float)
    if not len(x):
        return NOTHING
    return bootstrap_interval(lambda at: x[at].mean(1), len(x), *draws)


def compare_defences(
    checks: pd.DataFrame,
    prompts: pd.DataFrame,
    spent: pd.DataFrame,
    changes: Mapping[str, tuple[str, bool]],
    threshold: float,
    draws: Draws,
) -> pd.DataFrame:
    """The lines of `tables/mitigations.csv` without `model`: one a defence.

    A generation is a copy if its RMSE to any training image is at most `threshold`; an image is recovered by an adversarial
    embedding if a generation is as near to that very image. What an embedding does not meet lets it pass, so that the numbers of none hold.

    Parameters
    ----------
    checks : a `mitigation_checks` table. prompts : a `mitigated` table. spent : `mitigation_spent` of each defence, with `defence`.
    changes : defence -> what it changes, and whether a prompt embedding that is handed in meets it.
    """
    told = checks.merge(prompts[["prompt_id", "group", "known"]], on="prompt_id")
    told["copy"], told["recovered"] = told["nearest"].le(threshold), told["own"].le(threshold)
    plain = spent[spent["defence"].eq("none")]
    base = plain["unet_rows"].sum() / max(1, plain["generations"].sum())
    lines = []
    for defence, (what, meets) in changes.items():
        of = told[told["defence"].eq(defence)]
        asked = of[of["attack"].eq(PROMPT)]
        memorized = asked[asked["group"].eq(MEMORIZED)]
        general = asked[~asked["group"].eq(MEMORIZED)]
        line: dict[str, Any] = {"defence": defence, "changes": what, "meets_embeddings": meets}
        for name, some in (
            ("copies", memorized),
            ("copies_unknown", memorized[~memorized["known"]]),
            ("copies_general", general),
        ):
            found = _share(some["copy"], some["prompt_id"], draws.confidence)
            line |= {f"{name}{end}": value for end, value in found.items()}
        for name, some in (("clip_memorized", memorized), ("clip_general", general)):
            mean = _mean(some["clip_score"], some["prompt_id"], draws)
            line |= {name: mean.value, f"{name}_low": mean.low, f"{name}_high": mean.high}
        line["n_memorized"] = memorized["prompt_id"].nunique()
        line["n_general"] = general["prompt_id"].nunique()
        line["missing"] = int(asked["nearest"].isna().sum())
        mine = spent[spent["defence"].eq(defence)]
        for name, is_memorized in (("memorized", True), ("general", False)):
            some = mine[mine["group"].eq(MEMORIZED) == is_memorized]
            n = max(1, int(some["generations"].sum()))
            line[f"rows_{name}"] = some["unet_rows"].sum() / n - base
            line[f"gradients_{name}"] = some["with_gradient"].sum() / n
        for start in sorted(set(told["attack"]) - {PROMPT, OTHER_SEEDS}):
            met = of if meets else told[told["defence"].eq("none")]
            tried = met[met["attack"].eq(start)]
            for name, some in (
                ("recovered", tried[tried["group"].eq(MEMORIZED)]),
                (CONTROL, tried[~tried["group"].eq(MEMORIZED)]),
            ):
                found = _share(some["recovered"], some["prompt_id"], draws.confidence)
                line |= {f"{name}_{start}{end}": value for end, value in found.items()}
                line[f"n_{name}"] = some["prompt_id"].nunique()
        lines.append(line)
    return pd.DataFrame(lines)


def score_defences(scores: pd.DataFrame, prompts: pd.DataFrame, draws: Draws) -> pd.DataFrame:
    """The lines of `tables/mitigation_scores.csv` without `model`: each score, behind each defence, as a detector of memorized prompts.

    Parameters
    ----------
    scores : `mitigation_scores` of each defence, with `defence`. prompts : a `mitigated` table.

    Returns
    -------
    defence, score, auc, low, high (memorized prompts against the others; the mean over seeds counts), n_pos, n_neg, and n_missing:
    prompts without a finite score.
    """
    keys = ["defence", "score", "prompt_id"]
    means = scores.groupby(keys, sort=False)["value"].mean().reset_index()
    table = means.merge(prompts[["prompt_id", "group"]], on="prompt_id")
    lines = []
    for (defence, score), some in table.groupby(["defence", "score"], sort=False):
        good = some[some["value"].notna()]
        positive = good["group"].eq(MEMORIZED).to_numpy()
        found = NOTHING
        if positive.any() and not positive.all():
            found = auc_interval(good["value"], positive, good["prompt_id"], draws)
        lines.append(
            {"defence": defence, "score": score, "auc": found.value, "low": found.low, "high": found.high,
             "n_pos": int(positive.sum()), "n_neg": int((~positive).sum()), "n_missing": len(some) - len(good)}
        )  # fmt: skip
    return pd.DataFrame(lines)
