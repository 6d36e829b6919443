"""How often what is copied stands in the training data, and whether always with one caption.

Webster 2023, Fig. 4: duplication rate, and multimodal duplication (the share of a group of duplicate
pictures that has the same caption), of verbatims against random training pictures.
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
VERBATIM, ATTACKED, RANDOM = "copied pictures", "attacked, no copy found", "all training pictures"
LOOKS = {VERBATIM: (BLUE, "-"), ATTACKED: (VERMILION, "--"), RANDOM: (GREY, ":")}


def describe_duplication(
    labels: pd.DataFrame,
    prompts: pd.DataFrame,
    clusters: pd.DataFrame,
    stats: pd.DataFrame,
    n_rows: int,
) -> pd.DataFrame:
    """Size and share of equal captions of the duplicate groups behind three sets of pictures.

    The random sample is the whole training set: exact, and nothing is drawn.

    Parameters
    ----------
    labels : a `labels` table; extra prompts and those that a guard set aside are left out
    prompts, clusters, stats : tables `prompts`, `clusters`, `cluster_stats`
    n_rows : training rows

    Returns
    -------
    group, size (1: no duplicate), share (of equal captions; NaN for a picture without duplicates),
    weight (pictures that the line stands for). `copied pictures`: each source of a copy once;
    `attacked, no copy found`: the picture of each prompt labelled N.
    """
    size = stats.set_index("cluster")["size"]
    share = stats.set_index("cluster")["share_equal_captions"].astype(float)
    cluster_of = clusters.set_index("row")["cluster"]
    own = labels[~labels["extra"] & ~labels["review"]]
    sources = own.loc[own["label"].isin(COPIES), "source_row"].drop_duplicates()
    missed = own.loc[own["label"].eq("N"), "prompt_id"]
    rows = prompts.loc[prompts["prompt_id"].isin(missed), "row"].drop_duplicates()
    parts = []
    for group, some in ((VERBATIM, sources), (ATTACKED, rows)):
        found = some.map(cluster_of)
        parts.append(
            pd.DataFrame(
                {"group": group, "size": found.map(size).fillna(1), "share": found.map(share)}
            ).assign(weight=1)
        )
    every = pd.DataFrame({"size": size, "share": share, "weight": size})
    alone = pd.DataFrame({"size": [1], "share": [np.nan], "weight": [n_rows - int(size.sum())]})
    parts.append(pd.concat([every, alone]).assign(group=RANDOM))
    return pd.concat(parts, ignore_index=True)[["group", "size", "share", "weight"]]


def weighted_shares(values: np.ndarray, weights: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Share of the weight in each bin, summing to 1 where there is any."""
    counts = np.histogram(values, bins, weights=weights)[0]
    return counts / max(float(weights.sum()), 1.0)


def plot_duplication(models: dict[str, pd.DataFrame]) -> Figure:
    """A row a model: left how often a picture is met, right how many of its copies share a caption.

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
            ax.set_ylim(0, 1.18)
        line[0].set(ylabel="share of the pictures", title=name)
        line[0].set_xscale("log")
        line[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes[-1][0].set_xlabel("times the picture is in the training data")
    axes[-1][1].set_xlabel("share of its duplicates with the same caption")
    seaborn.despine(figure)
    return figure
