"""How often copied images occur in the training data, and how often with the same caption.

Webster 2023, Fig. 4: duplication rate, and multimodal duplication (the share of a group of duplicate
images that has the same caption), of verbatims against random training images.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from verbatim.figures.style import BLUE, GREY, VERMILION, WIDTH, use_style

COPIES = ("MV", "RV", "TV")
VERBATIM, ATTACKED, RANDOM = "copied", "attacked, no copy found", "all of the training data"
LOOKS = {VERBATIM: (BLUE, "-"), ATTACKED: (VERMILION, "--"), RANDOM: (GREY, ":")}


def describe_duplication(
    labels: pd.DataFrame,
    prompts: pd.DataFrame,
    clusters: pd.DataFrame,
    stats: pd.DataFrame,
    n_rows: int,
) -> pd.DataFrame:
    """Size and share of equal captions of the duplicate groups behind three sets of images.

    The unit is the distinct image: a duplicate group, or an image in none. The paper draws a random
    sample of rows, in which an image counts as often as it is duplicated; here the whole training
    set is at hand, and each image counts once on all three sides.

    Parameters
    ----------
    labels : a `labels` table; extra prompts and those that a guard set aside are left out
    prompts, clusters, stats : tables `prompts`, `clusters`, `cluster_stats`
    n_rows : training rows

    Returns
    -------
    group, size (1: no duplicate), share (of equal captions; NaN for an image without duplicates),
    weight (images that the line stands for). `copied`: sources of copies; `attacked, no copy
    found`: images of prompts labelled N that no prompt was found to copy.
    """
    size = stats.set_index("cluster")["size"]
    share = stats.set_index("cluster")["share_equal_captions"].astype(float)
    cluster_of = clusters.set_index("row")["cluster"]

    def images(rows: pd.Series) -> pd.Series:
        """The first row of each row's duplicate group, or the row itself, each once."""
        return rows.map(cluster_of).fillna(rows).astype("int64").drop_duplicates()

    own = labels[~labels["extra"] & ~labels["review"]]
    copied = images(own.loc[own["label"].isin(COPIES), "source_row"])
    missed = own.loc[own["label"].eq("N"), "prompt_id"]
    rest = images(prompts.loc[prompts["prompt_id"].isin(missed), "row"])
    rest = rest[~rest.isin(copied)]
    parts = [
        pd.DataFrame({"group": group, "size": some.map(size).fillna(1), "share": some.map(share)})
        for group, some in ((VERBATIM, copied), (ATTACKED, rest))
    ]
    parts.append(pd.DataFrame({"group": RANDOM, "size": size, "share": share}))
    alone = {"group": RANDOM, "size": 1, "share": np.nan, "weight": n_rows - int(size.sum())}
    table = pd.concat([*parts, pd.DataFrame([alone])], ignore_index=True)
    table["weight"] = table["weight"].fillna(1).astype("int64")
    return table[["group", "size", "share", "weight"]]


def weighted_shares(values: np.ndarray, weights: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Share of the weight in each bin, (bins - 1,), with sum 1 if there is any weight.

    values, weights : (n,). bins : edges, ascending.
    """
    counts = np.histogram(values, bins, weights=weights)[0]
    return counts / max(float(weights.sum()), 1.0)


def plot_duplication(models: dict[str, pd.DataFrame]) -> Figure:
    """One row for each model: left how often an image occurs, right the share of its copies with one caption.

    Parameters
    ----------
    models : name in Table 1 -> table of `describe_duplication`
    """
    use_style()
    figure, axes = plt.subplots(
        len(models), 2, figsize=(WIDTH, 0.5 + 1.75 * len(models)), squeeze=False, sharex="col",
        layout="constrained",
    )  # fmt: skip
    most = max((table["size"].max() for table in models.values()), default=1)
    sizes = np.geomspace(0.9, max(10, most) * 1.15, 19)
    shares = np.linspace(0, 1.0001, 13)
    for line, (name, table) in zip(axes, models.items(), strict=True):
        for ax, column, bins in zip(line, ("size", "share"), (sizes, shares), strict=True):
            for group, (colour, dash) in LOOKS.items():
                part = table[table["group"].eq(group) & table[column].notna()]
                weights = part["weight"].to_numpy(float)
                if weights.sum() == 0:
                    continue
                heights = weighted_shares(part[column].to_numpy(float), weights, bins)
                ax.stairs(heights, bins, color=colour, fill=True, alpha=0.15, lw=0)
                ax.stairs(
                    heights, bins, color=colour, ls=dash, lw=1.3,
                    label=f"{group} ({int(weights.sum()):,})",
                )  # fmt: skip
            ax.legend(loc="upper center" if column == "share" else "upper right", handlelength=1.6)
            ax.set_ylim(
                0, 1.65 * max([0.1, *(patch.get_data().values.max() for patch in ax.patches)])
            )
        line[0].set(ylabel="share of the images", title=name)
        line[0].set_xscale("log")
        line[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes[-1][0].set_xlabel("times the image is in the training data")
    axes[-1][1].set_xlabel("share of its duplicates with the same caption")
    seaborn.despine(figure)
    return figure
