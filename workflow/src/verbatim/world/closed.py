"""The world's closed system: nothing is known of it but images, their prompts and their seeds.

It stands for Midjourney in the paper (Webster 2023, section 5.3): its images lie in a folder with a manifest,
and no rule of the attack loads the model that drew them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from verbatim.io.images import encode_png
from verbatim.world.plan import WorldError


def choose_prompts(truth: pd.DataFrame, n: dict[str, int], seed: int) -> pd.DataFrame:
    """Captions that somebody asked the closed system for.

    Parameters
    ----------
    truth : a `truth` table
    n : kind -> most captions of this kind, drawn with `seed`; of `template` as many of each family

    Returns
    -------
    caption and kind, in the order of `n`
    """
    rng = np.random.default_rng([seed, 4])
    parts = []
    for kind, most in n.items():
        some = truth.loc[truth["kind"].eq(kind), ["caption", "kind", "family"]]
        some = some.drop_duplicates("caption").sort_values("caption")
        some = some.iloc[rng.permutation(len(some))]
        if kind == "template":
            each = max(1, most // max(1, some["family"].nunique()))
            some = some.groupby("family").head(each)
        parts.append(some.head(most)[["caption", "kind"]])
    return pd.concat(parts, ignore_index=True)


def write_images(
    folder: Path,
    prompts: Sequence[str],
    seeds: Sequence[int],
    images: Sequence[Sequence[np.ndarray | None]],
    steps: int,
) -> None:
    """PNG files and manifest.csv, as labels.generations reads them.

    Parameters
    ----------
    images : a list a prompt of one (h, w, 3) a seed, float32 in [0, 1] or uint8

    Raises
    ------
    WorldError
        Where an image is None: the denoiser gave no finite numbers, so its training has failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for i, prompt in enumerate(prompts):
        for j, seed in enumerate(seeds):
            file = f"{i:04d}_{seed}.png"
            image = images[i][j]
            if image is None:
                raise WorldError(
                    f"the world's closed system gave no finite image of {prompt!r} with seed {seed}; "
                    "look at its training log, or choose another world.seed"
                )
            (folder / file).write_bytes(encode_png(image))
            lines.append({"file": file, "prompt": prompt, "seed": seed, "steps": steps})
    pd.DataFrame(lines).to_csv(folder / "manifest.csv", index=False)
