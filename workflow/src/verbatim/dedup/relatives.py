"""Template relatives: training images that are similar to another one but no copies of it.

Webster 2023, section 5: the mask of a template is made from an image and a near neighbour of it that differs
in one region. Such a neighbour may be in the duplicate cluster of the image or just outside. Only the pixels show
which neighbours differ in a region, so candidates of both kinds are listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

Lookup = pd.DataFrame | Callable[[np.ndarray], pd.DataFrame]


def _ask(table: Lookup, rows: pd.Series) -> pd.DataFrame:
    return table(rows.unique()) if callable(table) else table


def choose_relatives(
    rows: np.ndarray,
    pairs: Iterable[pd.DataFrame],
    clusters: Lookup,
    copies: Lookup,
    most: int,
) -> pd.DataFrame:
    """Candidates for the template relatives of some rows.

    Inside a row's own cluster the least similar come first (the most similar are copies of it), outside the
    most similar, one of each other cluster; the two take turns. Equal vectors are never relatives; a row
    whose vector equals another's has that one's relatives.

    Parameters
    ----------
    rows
        Rows whose relatives are wanted.
    pairs
        `pairs` tables of all shards (a pair may be in two of them).
    clusters, copies
        Tables of the whole training set, or functions that give what they say of some rows.
    most
        Most relatives of a row.

    Returns
    -------
    `relatives` table: row, relative, similarity (raw cosine), order (0 is the first choice); sorted.
    """
    wanted = pd.DataFrame({"row": np.unique(np.asarray(rows, dtype=np.int64))})
    wanted = wanted.merge(_ask(copies, wanted["row"]), on="row", how="left")
    wanted["first"] = wanted["first"].fillna(wanted["row"]).astype("int64")
    firsts = wanted["first"].unique()
    none = np.empty(0, np.int64)
    found = [pd.DataFrame({"first": none, "relative": none, "similarity": none.astype(np.float32)})]
    for part in pairs:
        for this, other in (("row_a", "row_b"), ("row_b", "row_a")):
            hits = part[part[this].isin(firsts)]
            hits = hits.rename(columns={this: "first", other: "relative"})
            found.append(hits)
    near = pd.concat(found, ignore_index=True).drop_duplicates(["first", "relative"])
    near = near[~near["relative"].isin(_ask(copies, near["relative"])["row"])]
    asked = pd.concat([near["relative"], wanted["first"]])
    cluster = _ask(clusters, asked).set_index("row")["cluster"]
    near["cluster"] = near["relative"].map(cluster).fillna(near["relative"])
    near["inside"] = near["cluster"] == near["first"].map(cluster).fillna(near["first"])
    near["by"] = near["similarity"].where(near["inside"], -near["similarity"])
    near = near.sort_values(["first", "inside", "by", "relative"])
    again = near.duplicated(["first", "cluster"]) & ~near["inside"]
    near = near[~again].copy()
    near["turn"] = near.groupby(["first", "inside"]).cumcount()
    near = near.sort_values(["first", "turn", "inside"], ascending=[True, True, False])
    near["order"] = near.groupby("first").cumcount()
    near = near[near["order"] < most]
    out = wanted.merge(near, on="first").sort_values(["row", "order"], ignore_index=True)
    return out[["row", "relative", "similarity", "order"]]
