"""What an audit asks of the model, in captions and network rows, said before it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from verbatim.io.keys import prompt_id


def plan_prompts(images: pd.DataFrame, reference: Sequence[str], least: int) -> pd.DataFrame:
    """The captions that an audit generates from, as a `selection` table in the order of the images.

    A folder of few captions has few unrelated generations to compare with: reference captions fill up to `least`. They are
    `extra`.

    Parameters
    ----------
    images : an `audit_images` table. reference : captions that are nobody's.
    """
    asked = images[images["status"].eq("ok")].drop_duplicates("prompt_id")
    table = pd.DataFrame(
        {
            "prompt_id": asked["prompt_id"],
            "caption": asked["caption"],
            "extra": False,
            "why": "image",
        }
    )
    theirs = pd.DataFrame({"caption": list(dict.fromkeys(reference))}, dtype=object)
    theirs["prompt_id"] = [prompt_id(caption) for caption in theirs["caption"]]
    theirs = theirs[~theirs["prompt_id"].isin(table["prompt_id"])].head(max(0, least - len(table)))
    both = pd.concat([table, theirs.assign(extra=True, why="reference")], ignore_index=True)
    return both.assign(row=np.int64(-1)).astype({"prompt_id": "int64", "extra": bool})


def read_captions(path: str) -> list[str]:
    """Captions of a text file, one a line; empty lines are left out."""
    lines = Path(path).read_text("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip()]


def describe_plan(prompts: pd.DataFrame, generations: int, rows: int, seeds: Sequence[int]) -> str:
    """What is asked of the model, in words.

    generations : a caption. rows : network rows of a generation; 0 of a closed system. seeds : of the first-step scores.
    """
    n, extra = len(prompts), int(prompts["extra"].sum())
    own = f"{n:,} captions" + (f", {extra:,} of them for reference" if extra else "")
    if rows == 0:
        return (
            f"the endpoint is asked for {n * generations:,} generations of {own}; fetch_audit says what they cost and what is "
            "left of the budget before the first request"
        )
    total = n * generations * rows + (n - extra) * len(seeds) + len(seeds)
    return (
        f"the model is asked for {n * generations:,} generations of {own}: {total:,} network rows in all; score_audit "
        "measures how fast this machine is, and generate_audit says how many minutes that is before it starts"
    )


def describe_minutes(rows: float, seconds: float, planned: float) -> str:
    """How long `planned` network rows take at the speed of those that were spent, in words."""
    if rows <= 0 or seconds <= 0:
        return f"{planned:,.0f} network rows; how fast this machine is was not measured"
    minutes = planned * seconds / rows / 60
    return f"{planned:,.0f} network rows, about {minutes:.1f} minutes at {rows / seconds:,.0f} rows a second as scored"
