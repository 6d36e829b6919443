"""Images just beyond the thresholds of the labels, which Table 1 does not count.

Webster 2023, Fig. 5: just above the threshold, another crop, a small distortion.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from verbatim.figures.image_grid import Example, plot_grid

ABOVE, CROP, DISTORTED = "Just above the threshold", "Another crop", "Alike, but distorted"
FAR = 1.5  # ASSUME: of the threshold
MOVED = 0.02  # ASSUME: of the side; a verifier's placement below it is in place
UNCROPPED = ("whole", "squash", "")  # the image as a whole; other words are parts of it


def describe_placement(row: pd.Series) -> str:
    """In words how a verifier turned the training image into the generated one; "" if not at all.

    row : flip; side, top, left: where the training image lies, in sides of the generated square.
    """
    words = ["flip"] if row["flip"] else []
    if abs(row["side"] - 1) > MOVED:
        words.append(f"{'crop' if row['side'] > 1 else 'pad'} ×{row['side']:.2f}")
    elif max(abs(row["top"]), abs(row["left"])) > MOVED:
        words.append("shift")
    return ", ".join(words)


def take_verified(missed: pd.DataFrame, verification: pd.DataFrame) -> pd.DataFrame:
    """What a verifier calls a copy among the prompts labelled N, each source once; the likest first.

    Returns
    -------
    rows of `missed` with the verifier's seed and source_row, and `facts`
    """
    sure = verification[verification["verified"] & verification["doubt"].eq("")]
    columns = ["prompt_id", "seed", "source_row", "flip", "side", "top", "left", "q", "relative"]
    found = missed.drop(columns=["seed", "source_row"]).merge(sure[columns], on="prompt_id")
    found = found.sort_values(["q", "relative", "prompt_id"]).drop_duplicates("source_row")
    words = [describe_placement(row) for _, row in found.iterrows()]
    found["facts"] = [
        f"{word or 'in place'}, q {q:.1g}" for word, q in zip(words, found["q"], strict=True)
    ]
    return found


def choose_near_misses(
    labels: pd.DataFrame, verification: pd.DataFrame, n: int, threshold: float
) -> dict[str, pd.DataFrame]:
    """The `n` nearest of each kind of near miss, each source once in a kind.

    `Just above the threshold` are the prompts labelled N of smallest distance. `Another crop` and
    `distorted` are prompts labelled N that a verifier calls copies, cropped or padded, or in place,
    shifted or flipped; where crops are fewer than `n`, copies that only a crop of the training image
    shows follow.

    Parameters
    ----------
    labels : a `labels` table; extra prompts and those that a guard set aside are left out
    verification : a `verification` table of the same prompts
    threshold : the largest distance that is a copy; beyond `FAR` times it nothing is near

    Returns
    -------
    title -> rows of `labels`, with `facts`; seed and source_row are the pair to show
    """
    some = labels[~labels["extra"] & ~labels["review"] & labels["source_row"].ge(0)]
    missed = some[some["label"].eq("N")].sort_values(["distance", "prompt_id"])
    near = missed.drop_duplicates("source_row")
    above = near[near["distance"] <= FAR * threshold].head(n)
    above = above.assign(facts=[f"distance {d:.3f}" for d in above["distance"]])
    verified = take_verified(missed, verification)
    is_crop = pd.Series(["×" in facts for facts in verified["facts"]], verified.index, bool)
    rest = verified[~is_crop & ~verified["prompt_id"].isin(above["prompt_id"])]
    crop = some[some["label"].isin(["MV", "RV", "TV"]) & ~some["crop"].isin(UNCROPPED)]
    crop = crop.sort_values(["distance", "prompt_id"]).drop_duplicates("source_row")
    crop = crop.assign(facts=crop["label"] + ", crop " + crop["crop"])
    return {
        ABOVE: above,
        CROP: pd.concat([verified[is_crop], crop], ignore_index=True).head(n),
        DISTORTED: rest.head(n),
    }


def plot_near_misses(models: dict[str, dict[str, list[Example]]], n: int) -> Figure:
    """Generated and training image of the near misses of every model, one row for each model.

    Parameters
    ----------
    models : name in Table 1 -> title -> examples of two images, `n` at most
    """
    titles = {
        f"{title}/{i}": "" if i else title for title in (ABOVE, CROP, DISTORTED) for i in range(n)
    }
    groups = {
        name: {
            f"{title}/{i}": [example]
            for title, examples in found.items()
            for i, example in enumerate(examples[:n])
        }
        for name, found in models.items()
    }
    return plot_grid(dict.fromkeys(titles, ("generated", "training")), groups, titles)
