"""When the guard alarms: a first-step score above a threshold that was calibrated on prompts never trained on.

The threshold is that of split conformal prediction (Papadopoulos et al. 2002; Vovk et al. 2005): of a prompt that is
exchangeable with those of the calibration half, an alarm has at most the chosen probability. Prompts of one calibration half
decide the threshold, and the other half measures what it does.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

CALIBRATION, EVALUATION, TRAINED = "calibration", "evaluation", "trained"


class CalibrationError(ValueError):
    """No threshold can be chosen; the message says how many prompts there are and what to do."""


def split_prompts(prompts: pd.DataFrame, seed: int) -> pd.Series:
    """Part of each prompt, (n,) text: a random half of those without a training row calibrates, the other half evaluates.

    Prompts with a row were trained on. A caption is in one half, with all its seeds.

    prompts : columns prompt_id and row. seed : of the halves.
    """
    never = np.flatnonzero(prompts["row"].to_numpy() < 0)
    shuffled = np.random.default_rng(seed).permutation(never)
    part = np.full(len(prompts), TRAINED, dtype=object)
    part[shuffled[: (len(never) + 1) // 2]] = CALIBRATION
    part[shuffled[(len(never) + 1) // 2 :]] = EVALUATION
    return pd.Series(part, prompts.index, dtype=object)


def calibrate(scores: np.ndarray, rate: float) -> float:
    """Threshold that a share `rate` of generations like these exceeds at most, in expectation.

    The k-th smallest of n scores, k = ceil((1 - rate) (n + 1)).

    Raises
    ------
    CalibrationError
        There are too few scores for that rate, or one of them is not finite.
    """
    values = np.sort(np.asarray(scores, np.float64))
    if not np.isfinite(values).all():
        raise CalibrationError(
            f"{(~np.isfinite(values)).sum()} of {len(values)} scores of prompts never trained on are not finite; give the "
            "model another dtype in the models sheet"
        )
    k = math.ceil((1 - rate) * (len(values) + 1))
    if k > len(values):
        raise CalibrationError(
            f"guard.false_alarms is {rate:g}, and {len(values)} scores of prompts never trained on calibrate it: at least "
            f"{math.ceil(1 / rate) - 1} are needed; name more such prompts (inputs.extra_prompts) or allow more alarms"
        )
    return float(values[max(k, 1) - 1])


def find_alarms(
    prompts: pd.DataFrame, scores: pd.DataFrame, score: str, rate: float, seed: int
) -> pd.DataFrame:
    """A `guard_alarms` table: which generation of which prompt the score would stop at its first step.

    A score that is not finite alarms.

    Parameters
    ----------
    prompts : prompt_id and row (-1: never trained on). scores : a `whitebox_seeds` table. score : its column, higher for
    copies. rate : of false alarms. seed : of the halves.
    """
    table = scores.merge(
        prompts.assign(part=split_prompts(prompts, seed))[["prompt_id", "row", "part"]],
        on="prompt_id",
    )
    of_calibration = table.loc[table["part"] == CALIBRATION, score].to_numpy()
    threshold = calibrate(of_calibration, rate)
    values = table[score].to_numpy(np.float64)
    return table[["prompt_id", "seed", "row", "part"]].assign(
        score=values, threshold=threshold, alarm=~(values <= threshold)
    )
