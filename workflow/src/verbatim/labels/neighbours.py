"""Nearest training images of each generation.

Webster 2023, section 4 (retrieved verbatims): k nearest neighbours in the training set by CLIP.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def neighbour_table(
    queries: Sequence[tuple[int, int]], rows: np.ndarray, similarities: np.ndarray
) -> pd.DataFrame:
    """Search results as a `neighbours` table: one row for each neighbour, nearest first.

    Parameters
    ----------
    queries : (prompt_id, seed) of each generation that was searched for.
    rows, similarities : (len(queries), k) int64, and cosine in [-1, 1]; row -1 where the index found fewer.
    """
    if rows.shape != similarities.shape or len(rows) != len(queries):
        raise ValueError(
            f"{len(queries)} queries, but rows of {rows.shape} and similarities of {similarities.shape}"
        )
    k = rows.shape[1]
    keys = np.array(queries, dtype=np.int64).reshape(-1, 2)
    table = pd.DataFrame(
        {
            "prompt_id": np.repeat(keys[:, 0], k),
            "seed": np.repeat(keys[:, 1], k),
            "order": np.tile(np.arange(k), len(queries)),
            "row": rows.ravel(),
            "similarity": similarities.ravel(),
        }
    )
    return table[table["row"] >= 0].reset_index(drop=True)
