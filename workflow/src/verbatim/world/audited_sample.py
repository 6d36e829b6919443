"""A sample of the world for the audit: memorized, template, trained once, never trained on; two owners and controls."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

TRAINED, OTHER = "Ash Studio", "Birch Studio"
LEAST_OF_FAMILY = 4  # ASSUME: of two members alone the mask may be too small to be used
STREAM = 7  # of the sample's own draws from the world's seed


def count_sample(counts: Mapping[str, int]) -> int:
    """How many images a sample has at most; controls are some of the held-out ones."""
    return sum(counts.values()) - counts["controls"]


def select_sample(truth: pd.DataFrame, counts: Mapping[str, int], seed: int) -> pd.DataFrame:
    """Images of each kind, in an order and under names that say nothing of their kind.

    The owner of all images that were trained on is TRAINED. The held-out ones are OTHER's, or controls of nobody.

    Parameters
    ----------
    truth : a `truth` table. counts : kind -> images, and `controls`; fewer where the world has fewer. seed : of the draw.

    Returns
    -------
    file, image_id, caption, owner, control, kind, count (0 for images that no model saw).
    """
    rng = np.random.default_rng([seed, STREAM])
    parts = []
    for kind, count in counts.items():
        if kind == "controls":
            continue
        of_kind = (
            truth[truth["kind"].eq(kind)].drop_duplicates("image_id").drop_duplicates("caption")
        )
        if kind == "template":  # some of each family, so that their masks can be made
            each = -(-count // max(1, of_kind["family"].nunique()))
            of_kind = (
                of_kind.groupby("family").head(max(LEAST_OF_FAMILY, each)).sort_values("family")
            )
            parts.append(of_kind.head(count))
            continue
        parts.append(of_kind.iloc[np.sort(rng.permutation(len(of_kind))[:count])])
    table = pd.concat(parts, ignore_index=True)
    table = table.iloc[rng.permutation(len(table))].reset_index(drop=True)
    unseen = table["row"] < 0
    control = unseen & (unseen.cumsum() <= counts["controls"])
    return pd.DataFrame(
        {
            "file": [f"images/{i:04d}.png" for i in range(len(table))],
            "image_id": table["image_id"],
            "caption": table["caption"],
            "owner": np.where(control, "", np.where(unseen, OTHER, TRAINED)),
            "control": control,
            "kind": table["kind"],
            "count": np.where(unseen, 0, table["count"]).astype(np.int32),
        }
    )


def metadata_text(sample: pd.DataFrame) -> str:
    """metadata.csv of Hugging Face's imagefolder, with the audit's columns owner and control."""
    table = sample[["file", "caption", "owner"]].rename(
        columns={"file": "file_name", "caption": "text"}
    )
    return table.assign(control=np.where(sample["control"], "yes", "no")).to_csv(index=False)
