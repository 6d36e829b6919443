"""How many prompts each stage can take, and the shards that they are planned for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from verbatim.config.set_files import asks_sets, planned_set_prompts
from verbatim.config.sheet import candidate_models
from verbatim.io.user_tables import count_rows
from verbatim.metrics.ranking import RANKINGS


def shard_names(n: int, size: int) -> list[str]:
    """Names of the shards that hold `n` things, `size` in each: "00000", "00001" and so on."""
    return [f"{i:05d}" for i in range(math.ceil(n / size))]


def planned_extra(config: Mapping[str, Any]) -> int:
    """How many prompts are judged beside the selected ones: the world's, and a row or line of a user's file each.

    A user's file takes nothing from a world: its held-out prompts are what the tables of a world are made of.
    An estimate from above, without reading the captions: an empty line counts, and one that is selected
    anyway or stands in both. No more for a file that is not there or cannot be read; the rule that reads it says so.
    """
    file = config["inputs"]["extra_prompts"]
    held_out = 0
    if file and config["inputs"]["source"] == "world":
        planted = config["world"]["planted"]
        held_out = int(sum(planted["held_out"].values()))
    if file in ("", "world"):
        return held_out
    try:
        return held_out + count_rows(file)
    except (OSError, ValueError):
        return held_out


def planned_prompts(
    config: Mapping[str, Any],
    sheet: pd.DataFrame | None = None,
    stage: str = "whitebox",
    model: str = "",
) -> int:
    """Most prompts that a stage can take of a model, as far as the config says: what shards are planned for.

    Parameters
    ----------
    sheet, model
        For `labels`, whose candidates are what the sheet says.
    stage
        whitebox, blackbox, detectors, postfilter or labels.
    """
    if asks_sets(config):
        return planned_set_prompts(config)  # every stage takes all of them
    extra = planned_extra(config)
    most = int(config["dedup"]["n_prompts"])
    if stage in ("blackbox", "detectors", "postfilter"):
        most = min(most, int(config["blackbox"]["n_prompts"]))
    if stage == "postfilter":
        most = min(most, int(config["postfilter"]["n_prompts"]))
    if stage == "labels":
        assert sheet is not None
        most = min(most, most_candidates(config, sheet, model))
    return most + extra


def most_candidates(config: Mapping[str, Any], sheet: pd.DataFrame, model: str) -> int:
    """Most candidates of a model but for the extra ones; the sheet's check refuses models that name each other in a ring."""
    candidates = str(sheet.loc[model, "candidates"])
    if candidates == "own":
        return len(RANKINGS) * int(config["labels"]["n_prompts"])
    if candidates.startswith("top:"):
        return int(config["labels"]["n_transfer"])
    return sum(most_candidates(config, sheet, m) for m in candidate_models(candidates))
