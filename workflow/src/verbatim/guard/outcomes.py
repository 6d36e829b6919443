"""What each part of the guard lets out, disturbs and costs, counted generation by generation.

Four policies: `none` lets every generation out. `score` generates again behind a defence where the first-step score alarms, and
lets the result out unseen. `check` withholds a generation that the check calls a copy. `both` does the one and then the
other. An output that could not be compared with any training image is withheld by the check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from verbatim.guard.alarms import CALIBRATION, EVALUATION, TRAINED
from verbatim.guard.outputs import NONE
from verbatim.metrics.intervals import (
    NOTHING,
    Interval,
    bootstrap_interval,
    group_units,
    share_interval,
)

POLICIES = ("none", "score", "check", "both")
COPIED, OTHERS, NEVER = "copied", "trained on, not copied", "never trained on"
SECOND = "copies let out, second judge"
SCORE_ROWS = 2  # network rows of a first-step score: with and without the caption
MISSING = "missing"


@dataclass(frozen=True)
class Counting:
    """confidence : of the intervals. resamples, seed : of the bootstrap over sources. judge : share of generations of prompts
    never trained on that the second judge calls a copy."""

    confidence: float
    resamples: int
    seed: int
    judge: float


def judge_threshold(residuals: np.ndarray, rate: float) -> float:
    """Residual that at most a share `rate` of generations like these falls to; -inf where they are too few.

    residuals : (n,), of generations of prompts never trained on; small for copies, inf where nothing could be compared.
    """
    values = np.sort(residuals)
    k = int(np.floor(rate * (len(values) + 1)))
    return float(values[k - 1]) if k >= 1 else -np.inf


def group_prompts(
    alarms: pd.DataFrame, checks: pd.DataFrame, clusters: Mapping[int, int]
) -> pd.DataFrame:
    """Group and unit of each prompt, indexed by prompt_id.

    Returns
    -------
    group : copied (trained on, and one of the model's generations is a copy), trained on but not copied, never trained on
    (the half that evaluates), or calibration. unit : what is drawn together by the bootstrap: prompts that copy one training
    image or its near-duplicates; else the prompt.

    clusters : row -> number of its cluster.
    """
    bare = checks[checks["defence"] == NONE]
    part = alarms.drop_duplicates("prompt_id").set_index("prompt_id")["part"]
    hits = bare[bare["copy"]].sort_values("distance").drop_duplicates("prompt_id")
    source = hits.set_index("prompt_id")["source_row"]
    names = {CALIBRATION: CALIBRATION, EVALUATION: NEVER, TRAINED: OTHERS}
    group = part.map(names)
    group[group.eq(OTHERS) & group.index.isin(source.index)] = COPIED
    of = source.map(lambda row: clusters.get(int(row), int(row))).reindex(part.index)
    unit = [
        f"prompt {key}" if np.isnan(one) else f"source {int(one)}"
        for key, one in of.astype(float).items()
    ]
    return pd.DataFrame({"group": group, "unit": unit}, index=part.index)


def list_outcomes(
    alarms: pd.DataFrame, checks: pd.DataFrame, groups: pd.DataFrame, threshold: float
) -> pd.DataFrame:
    """A `guard_outcomes` table without `model`: what every policy does with every generation that was checked.

    Parameters
    ----------
    alarms, checks : tables `guard_alarms` and `guard_checks`. groups : of `group_prompts`. threshold : of the second judge.
    """
    keys = ["prompt_id", "seed"]
    checks = checks.assign(second=checks["residual"] <= threshold)
    told = ["label", "copy", "second", "nearest", "clip_score"]
    # object columns: what a network did not generate has no values
    of = {
        str(name): one.set_index(keys)[told].astype(object)
        for name, one in checks.groupby("defence")
    }
    base = alarms.merge(of[NONE][[]].reset_index(), on=keys).join(groups, on="prompt_id")
    index = pd.MultiIndex.from_frame(base[keys])
    bare = of[NONE].reindex(index).reset_index(drop=True)
    alarm = base["alarm"].to_numpy(bool)
    parts = []
    for policy in POLICIES:
        with_score, with_check = policy in ("score", "both"), policy in ("check", "both")
        for defence in [name for name in of if name != NONE] if with_score else [""]:
            out = bare.copy()
            again = alarm & with_score
            if again.any():
                new = of[defence].reindex(index).reset_index(drop=True)
                out[again] = new[again]
            unseen = out["label"].isna() | out["label"].eq(MISSING)
            copy = out["copy"].fillna(False).to_numpy(bool)
            lost = again & out["label"].isna().to_numpy()  # the defended network gave no image
            withheld = lost | ((copy | unseen.to_numpy(bool)) & with_check)
            let_out = np.where(withheld, "", np.where(again, defence, NONE))
            second = out["second"].fillna(False).to_numpy(bool)
            clip = out["clip_score"].to_numpy(float)
            parts.append(
                base[[*keys, "group", "unit"]].assign(
                    policy=policy, defence=defence, let_out=let_out, regenerated=again, withheld=withheld,
                    copy=copy & ~withheld, second=second & ~withheld,
                    clip_score=np.where(withheld, np.nan, clip),
                    clip_change=np.where(withheld | ~again, np.nan, clip - bare["clip_score"].to_numpy(float)),
                )
            )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def count_outcomes(
    outcomes: pd.DataFrame, defence_rows: Mapping[str, float], settings: Counting
) -> pd.DataFrame:
    """The lines of `guard/guard.csv` without `model`: measures of each policy, defence and group of prompts.

    outcomes : of `list_outcomes`. defence_rows : network rows that a defence spends on a prompt before it generates.
    """
    records = []
    kept = outcomes[outcomes["group"] != CALIBRATION]
    for (policy, defence, group), some in kept.groupby(["policy", "defence", "group"], sort=False):
        asked = SCORE_ROWS if policy in ("score", "both") else 0
        spent = asked + some["regenerated"] * defence_rows.get(str(defence), 0.0)
        rates = {
            "copies let out": some["copy"],
            SECOND: some["second"],
            "regenerated": some["regenerated"],
            "withheld": some["withheld"],
            "disturbed": some["regenerated"] | some["withheld"],
        }
        means = {
            "CLIP score": some["clip_score"],
            "CLIP score change of the regenerated": some["clip_change"],
            "extra network rows": spent,
        }
        key = {"policy": policy, "defence": defence, "prompts": group}
        draws = (settings.resamples, settings.confidence, settings.seed)
        found = {
            name: (share_interval(hits.to_numpy(bool), some["unit"], *draws), int(hits.sum()))
            for name, hits in rates.items()
        } | {
            name: (_mean(values, some["unit"], settings), int(values.notna().sum()))
            for name, values in means.items()
        }
        n, n_sources = len(some), some["unit"].nunique()
        for measure, (interval, count) in found.items():
            records.append(
                key | {"measure": measure} | interval._asdict() | {"count": count, "n": n, "n_sources": n_sources}
            )  # fmt: skip
    return pd.DataFrame(records)


def _mean(values: pd.Series, units: pd.Series, settings: Counting) -> Interval:
    """Mean over generations that have a value, and its bootstrap interval over units."""
    good = values.notna()
    if not good.any():
        return NOTHING
    x = values[good].to_numpy(np.float64)
    of_unit, n = group_units(units[good])
    if n < 2:
        return Interval(float(x.mean()), np.nan, np.nan)
    total, size = np.bincount(of_unit, x), np.bincount(of_unit)
    return bootstrap_interval(
        lambda positions: total[positions].sum(1) / size[positions].sum(1),
        n, settings.resamples, settings.confidence, settings.seed,
    )  # fmt: skip
