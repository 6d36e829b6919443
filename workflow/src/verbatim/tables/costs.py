"""The cost of the attack, in rows that went through a network.

Webster 2023 claims about 2,000 times fewer network evaluations than Carlini. Both guidance
halves count, on both sides.
"""

from __future__ import annotations

import pandas as pd

HALVES = 2  # conditional and unconditional row of one guided network call
ATTACK = ("whitebox", "blackbox")  # the stages that find prompts: DCS, then ECS


def merge_costs(costs: pd.DataFrame, images: int, steps: int) -> pd.DataFrame:
    """Cost of every stage and model, beside what Carlini's search would have cost.

    Parameters
    ----------
    costs : `costs` tables of all jobs, one below the other
    images : full generations of each prompt in Carlini's search (500)
    steps : denoising steps of a full generation. One network call a step: a second-order sampler
        takes nearly twice as many, so the ratio is a lower bound.

    Returns
    -------
    stage, model, prompts, unet_rows, rows_a_prompt, seconds, full_generation_rows (`images` *
    `steps` * 2 for the same prompts), ratio (how many times less this stage cost), preset. The
    stage "whitebox+blackbox" adds up what finding the prompts of a model cost, for the prompts
    that whitebox saw.
    """
    keys = ["stage", "model"]
    total = costs.groupby(keys, sort=False, as_index=False).agg(
        prompts=("prompts", "sum"),
        unet_rows=("unet_rows", "sum"),
        seconds=("seconds", "sum"),
        preset=("preset", lambda names: ",".join(sorted(set(names)))),
    )
    attack = total[total["stage"].isin(ATTACK)]
    both = attack.groupby("model", sort=False).filter(lambda one: set(one["stage"]) == set(ATTACK))
    summed = both.groupby("model", sort=False, as_index=False).agg(
        prompts=("prompts", "max"),
        unet_rows=("unet_rows", "sum"),
        seconds=("seconds", "sum"),
        preset=("preset", "+".join),
    )
    total = pd.concat([total, summed.assign(stage="+".join(ATTACK))], ignore_index=True)
    total["rows_a_prompt"] = total["unet_rows"] / total["prompts"].where(total["prompts"] > 0)
    total["full_generation_rows"] = total["prompts"] * images * steps * HALVES
    total["ratio"] = total["full_generation_rows"] / total["unet_rows"].where(
        total["unet_rows"] > 0
    )
    return total[
        ["stage", "model", "prompts", "unet_rows", "rows_a_prompt", "seconds", "full_generation_rows",
         "ratio", "preset"]
    ]  # fmt: skip
