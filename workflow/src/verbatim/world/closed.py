"""The world's closed system: nothing is known of it but images, their prompts and their seeds.

It stands for Midjourney in the paper (Webster 2023, section 5.3): its images lie in a folder with a manifest,
and no rule of the attack loads the model that drew them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from verbatim.io.images import encode_png


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
    folder: Path, prompts: list[str], seeds: list[int], images: np.ndarray, steps: int
) -> None:
    """PNG files and manifest.csv, as labels.generations reads them.

    Parameters
    ----------
    images : float32 (prompts, seeds, h, w, 3) in [0, 1]
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for i, prompt in enumerate(prompts):
        for j, seed in enumerate(seeds):
            file = f"{i:04d}_{seed}.png"
            (folder / file).write_bytes(encode_png(images[i, j]))
            lines.append({"file": file, "prompt": prompt, "seed": seed, "steps": steps})
    pd.DataFrame(lines).to_csv(folder / "manifest.csv", index=False)
