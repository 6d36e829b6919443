"""What a run will cost in network rows and images, before it is started.

The same counts as `tables/costs.csv` has afterwards, from the settings alone. Rows of the generations follow
from the samplers: a guided Heun step takes four rows (two evaluations, both halves of the guidance), the
last one two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from verbatim.config.prompt_plan import most_candidates
from verbatim.config.sheet import candidate_models

COLUMNS = ["stage", "model", "prompts", "jobs", "unet_rows", "images"]


def rows_a_image(sampler: str, steps: int, guidance: float) -> int:
    """Network rows of one full generation: Karras et al. 2022, algorithm 1, for `heun`."""
    calls = 2 * steps - 1 if sampler == "heun" else steps
    return calls * (1 if guidance in (0.0, 1.0) else 2)


def count_parts(n: int, a_shard: int, a_part: int) -> int:
    """Parts that `n` prompts are worked on in: each shard is cut by itself."""
    whole, rest = divmod(n, a_shard)
    return whole * math.ceil(a_shard / a_part) + math.ceil(rest / a_part)


def plan_costs(
    config: dict[str, Any], sheet: pd.DataFrame, found: Mapping[str, int]
) -> pd.DataFrame:
    """Rows and images of every stage and model: a bound, met where no prompt is left out.

    Parameters
    ----------
    config
        The whole config.
    sheet
        From `configuration.read_models`.
    found
        Prompts that are expected to be found in a model, for the candidates `found:`.

    Returns
    -------
    stage and model as in `tables/costs.csv`; prompts; jobs (that call the network); unet_rows; images
    (that are kept). The post-filter as if no prompt was decided early, a model's own candidates as if its
    rankings had nothing in common.
    """
    out: list[dict[str, Any]] = []

    def add(stage: str, model: str, prompts: int, rows: int, images: int) -> None:
        # the one-step images of other presets are made by the jobs of `blackbox`
        jobs = math.ceil(prompts / config[stage]["prompts_a_shard"]) if stage in config else 0
        out.append(dict(zip(COLUMNS, (stage, model, prompts, jobs, rows, images), strict=True)))

    s = config["sampling"]
    each, second = (
        rows_a_image(how["sampler"], how["steps"], how["guidance"]) for how in (s, s["upscaler"])
    )
    for one in sheet.to_dict("records"):
        model, candidates = one["model"], one["candidates"]
        if one["whitebox"] == "yes":
            stage = config["whitebox"]
            n, seeds = config["dedup"]["n_prompts"], len(stage["seeds"])
            parts = count_parts(n, stage["prompts_a_shard"], stage["prompts_a_part"])
            # one row without a caption a seed and part: the noise is the seed's alone
            add("whitebox", model, n, seeds * (n + parts), 0)
            stage = config["blackbox"]
            n, seeds = min(n, stage["n_prompts"]), len(stage["seeds"])
            parts = count_parts(n, stage["prompts_a_shard"], stage["prompts_a_part"])
            main = stage["presets"][stage["preset"]]["guidance"]
            others = {preset["guidance"] for preset in stage["presets"].values()} - {main}
            for name, guidance in [("blackbox", main), *(("blackbox_presets", g) for g in others)]:
                rows = seeds * (n + (parts if guidance != 1 else 0))
                add(name, model, n, rows, n * seeds)
            n, per_prompt = (
                min(n, config["postfilter"]["n_prompts"]),
                config["postfilter"]["n_images"],
            )
            add("postfilter", model, n, n * per_prompt * each, n * per_prompt)
            if one["upscaler"]:
                add("postfilter_upscaler", model, n, n * per_prompt * second, 0)
        if one["family"] == "images":
            continue
        if candidates.startswith("found:"):  # as many as are expected, not as many as there may be
            n = sum(found.get(other, 0) for other in candidate_models(candidates))
        else:
            n = most_candidates(config, sheet, model)
        seeds = len(config["labels"]["seeds"])
        add("labels", model, n, n * seeds * each, n * seeds)
        if one["upscaler"]:  # the images are its own, counted once
            add("labels_upscaler", model, n, n * seeds * second, 0)
    return pd.DataFrame(out, columns=COLUMNS)
