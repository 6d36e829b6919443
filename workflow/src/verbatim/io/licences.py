"""Licences of training images, where the metadata of a data set name them.

LAION's tables have the column LICENSE, and img2dataset keeps it with `--save_additional_columns`. Our `rows` tables do not
carry it, so it is looked up in the metadata for the rows that are shown.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from verbatim.io.parquet_text import TextColumn, iter_columns, open_parquet

NAMES = ("license", "licence")  # of the column, in any case
LONGEST = 500  # ASSUME: characters of a licence that are kept; a name or an address is shorter
MOST_TEXT = 2**31  # bytes of one column that is read


def read_licences(manifest: pd.DataFrame, rows: Iterable[int]) -> dict[int, str]:
    """Row -> licence as the metadata have it; rows without one are left out.

    Parameters
    ----------
    manifest : from `records.read_manifest`. rows : global rows.

    Raises
    ------
    UserTableError
        If a table of metadata cannot be read.
    """
    wanted = np.unique(np.fromiter(rows, dtype=np.int64))
    found: dict[int, str] = {}
    for shard in manifest.to_dict("records"):
        first, count = int(shard["first_row"]), int(shard["rows"])
        inside = wanted[(wanted >= first) & (wanted < first + count)]
        places = inside - first + int(shard["metadata_row"])
        for path in str(shard["metadata"]).split("|"):
            if not len(places) or not path:
                break
            with open_parquet(path) as file:
                names, length = file.schema_arrow.names, int(file.metadata.num_rows)
            here = places < length
            column = next((name for name in names if name.lower() in NAMES), "")
            if column and here.any():
                found |= _read(path, column, dict(zip(places[here], inside[here], strict=True)))
            places, inside = places[~here] - length, inside[~here]
    return found


def _read(path: str, column: str, rows: dict[int, int]) -> dict[int, str]:
    """Row -> text of a column, of the positions in the table that `rows` leads to rows."""
    start = min(rows)
    text = TextColumn(f"{path}: column {column!r}", True, MOST_TEXT)
    for first, batch in iter_columns(path, [column], start, max(rows) - start + 1):
        text.add(first, batch.column(column))
    values = text.result()
    said = {row: values[place - start] for place, row in rows.items()}
    return {row: str(one)[:LONGEST] for row, one in said.items() if one}
