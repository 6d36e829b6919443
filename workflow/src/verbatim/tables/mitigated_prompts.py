"""Which prompts the mitigations are tested on: memorized ones, ones whose image was trained on once, and ones that were never trained on.

Memorized means planted as a full duplicate. Half of these prompts are known to the defences that learn from memorized
prompts, and the other half tells what such a defence does to a prompt that it was not shown.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from verbatim.tables.truth import list_captions

STREAM = 15  # of the choice's own draws
KINDS = {"memorized": "full", "once": "single", "never": "held_out", "reference": "single"}


def select_prompts(
    truth: pd.DataFrame, counts: Mapping[str, int], images: int, seed: int
) -> pd.DataFrame:
    """A `mitigated` table: prompts by group, in random order.

    Parameters
    ----------
    truth : a `truth` table. counts : group -> prompts, fewer where there are fewer; `reference` prompts are of images that were
    trained on once, and none of the others.
    images : memorized images, half of them of known prompts, that adversarial embeddings are looked for; and as many of the
    others, half trained on once and half never. seed : of the choice.

    Raises
    ------
    ValueError
        Where a group would be empty.
    """
    rng = np.random.default_rng([seed, STREAM])
    pairs = list_captions(truth)
    parts: list[pd.DataFrame] = []
    taken: set[int] = set()
    for group, kind in KINDS.items():
        some = pairs[pairs["kind"].eq(kind) & ~pairs["prompt_id"].isin(taken)]
        some = some.drop_duplicates("prompt_id").drop_duplicates("image_id")
        some = some.iloc[rng.permutation(len(some))[: counts[group]]]
        if some.empty:
            raise ValueError(
                f"the world has no prompt left of kind {kind} for mitigation.attacked.prompts.{group}; "
                "plant more (world.planted) or ask for fewer of the others"
            )
        taken |= set(some["prompt_id"])
        place = np.arange(len(some))
        known = (
            (place % 2 == 0) if group == "memorized" else np.full(len(some), group == "reference")
        )
        wanted = {"memorized": images, "once": -(-images // 2), "never": images // 2}.get(group, 0)
        parts.append(some.assign(group=group, known=known, searched=place < wanted))
    table = pd.concat(parts, ignore_index=True)
    return table[["prompt_id", "caption", "image_id", "group", "known", "searched"]]
