"""The layout of the authors' published labels and prompt lists (Webster 2023, `templates-verbs`).

A labels file is a Parquet table whose index is the row in LAION, with the columns of `COLUMNS`:

- overfit_type: MV, RV, TV or N;
- gen_seeds: seeds whose generation is the copy, of RV and TV;
- retrieved_urls: addresses of the images that are copied, of RV and TV;
- template_indices: of TV one list, of positions in `templates/metadata.parquet` (url, mask_file, img_file);
- mse_real_gen: least sum of squares between the row's own image and the generations, over 256x256x3 values.

Beside it lies `retrieved/metadata.parquet` (url, img_file). Prompt lists have the columns caption and url,
and repeat rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from verbatim.io.parquet_text import (
    TextColumn,
    UserTableError,
    is_bytes,
    is_list,
    is_text,
    iter_columns,
    open_parquet,
    read_lists,
)
from verbatim.io.records import prompt_id

TYPES = ("MV", "RV", "TV", "N")
VALUES = 256 * 256 * 3  # of the squares that `mse_real_gen` is a sum over: VALUES * RMSE^2
TEMPLATES = ("url", "mask_file", "img_file")
RETRIEVED = ("url", "img_file")
ROOM = 2**48  # more than there are rows


class AuthorsError(ValueError):
    """A file in the authors' layout cannot be used; the message names the file, the place and the cure."""


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return is_text(kind) or is_bytes(kind)


def _is_whole(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_whole(kind.value_type)
    return bool(pa.types.is_integer(kind))


def _is_list(kind: pa.DataType, inner: Callable[[pa.DataType], bool]) -> bool:
    return is_list(kind) and (pa.types.is_null(kind.value_type) or inner(kind.value_type))


# column -> (its type in words, whether an Arrow type is that)
COLUMNS: dict[str, tuple[str, Callable[[pa.DataType], bool]]] = {
    "caption": ("text", _is_text),
    "url": ("text", _is_text),
    "overfit_type": ("text", _is_text),
    "gen_seeds": ("a list of whole numbers", lambda k: _is_list(k, _is_whole)),
    "retrieved_urls": ("a list of texts", lambda k: _is_list(k, _is_text)),
    "template_indices": (
        "a list of lists of whole numbers",
        lambda k: _is_list(k, lambda inner: _is_list(inner, _is_whole)),
    ),
    "mse_real_gen": ("a number", lambda k: pa.types.is_floating(k) or pa.types.is_integer(k)),
}
TEXTS = ("caption", "url", "overfit_type")
CURE = "labels.authors must name Parquet files in the layout of the authors' groundtruth_parquets"


def read_labels(path: str | os.PathLike) -> pd.DataFrame:
    """The authors' labels of one model: row (int64), and the columns of `COLUMNS`, in the file's order.

    Lists come as Python lists, an absent list as an empty one, an absent address as "", an absent sum
    of squares as NaN.

    Raises
    ------
    AuthorsError
        Naming the file and the column or row: not Parquet, a column missing or of another type, an
        unknown overfit_type, a caption missing, an index that is no row or occurs twice.
    """
    try:
        out = _read_columns(path)
    except UserTableError as err:
        raise AuthorsError(f"{err}. {CURE}") from err
    for name in ("caption", "overfit_type"):
        empty = out.loc[out[name].isna(), "row"].tolist()
        if empty:
            raise AuthorsError(
                f"{path}: row {empty[0]} has no {name} ({len(empty)} in all); {CURE}"
            )
    unknown = out[~out["overfit_type"].isin(TYPES)]
    if len(unknown):
        row, found = unknown[["row", "overfit_type"]].iloc[0]
        raise AuthorsError(
            f"{path}: row {row} has the overfit_type {found!r} ({len(unknown)} such rows); "
            f"known: {', '.join(TYPES)}"
        )
    out["url"] = out["url"].fillna("")
    return out[["row", *COLUMNS]]


def check_labels(path: str | os.PathLike) -> None:
    """Refuse a file that has not the columns of `COLUMNS`, or an index of another type, by its footer alone.

    Raises AuthorsError.
    """
    try:
        _index_column(_checked_schema(path), path)
    except UserTableError as err:
        raise AuthorsError(f"{err}. {CURE}") from err


def _checked_schema(path: str | os.PathLike) -> pa.Schema:
    """The file's schema, with every column of `COLUMNS` in a type that it may have."""
    schema = open_parquet(path).schema_arrow
    missing = [name for name in COLUMNS if name not in schema.names]
    if missing:
        raise AuthorsError(
            f"{path}: the columns {missing} are missing; it has {schema.names}; {CURE}"
        )
    for name, (words, fits) in COLUMNS.items():
        kind = schema.field(name).type
        if not fits(kind):
            raise AuthorsError(f"{path}: column {name!r} is {kind}, not {words}; {CURE}")
    return schema


def _read_columns(path: str | os.PathLike) -> pd.DataFrame:
    """row and the columns of `COLUMNS`, their types checked, missing texts None.

    Raises UserTableError or AuthorsError.
    """
    schema = _checked_schema(path)
    index = _index_column(schema, path)
    texts = {name: TextColumn(f"{path}: column {name!r}") for name in TEXTS}
    lists: dict[str, list[Any]] = {name: [] for name in COLUMNS if name not in TEXTS}
    rows: list[int | None] = []
    for first, batch in iter_columns(path, [*COLUMNS, *([index] if index else [])]):
        for name, column in texts.items():
            column.add(first, batch.column(name))
        for name, values in lists.items():
            values += read_lists(batch.column(name), f"{path}: column {name!r}")
        if index:
            rows += batch.column(index).to_pylist()
    if not index:
        rows = list(_range_index(schema, len(lists["gen_seeds"])))
    out = pd.DataFrame({name: column.result() for name, column in texts.items()}, dtype=object)
    out.insert(0, "row", _check_index(rows, path))
    for name, values in lists.items():
        out[name] = values
    out["mse_real_gen"] = pd.to_numeric(out["mse_real_gen"]).astype(np.float64)
    return out


def _index_column(schema: pa.Schema, path: str | os.PathLike) -> str:
    """The column that is the index, as pandas notes it; "" for an index that counts from a number."""
    indices = (schema.pandas_metadata or {}).get("index_columns", [])
    names = [name for name in indices if isinstance(name, str)]
    if len(indices) > 1 or any(name not in schema.names for name in names):
        raise AuthorsError(f"{path}: the index is {indices}, not rows of LAION; {CURE}")
    if names and not pa.types.is_integer(schema.field(names[0]).type):
        kind = schema.field(names[0]).type
        raise AuthorsError(f"{path}: the index is {kind}, not rows of LAION; {CURE}")
    return names[0] if names else ""


def _range_index(schema: pa.Schema, n: int) -> range:
    noted = (schema.pandas_metadata or {}).get("index_columns") or [{}]
    start, step = int(noted[0].get("start", 0)), int(noted[0].get("step", 1))
    return range(start, start + n * step, step)


def _check_index(rows: list[int | None], path: str | os.PathLike) -> pd.Index:
    if any(row is None or not 0 <= row < ROOM for row in rows):
        odd = next(row for row in rows if row is None or not 0 <= row < ROOM)
        raise AuthorsError(f"{path}: the index has {odd}, which is no row of LAION; {CURE}")
    index = pd.Index(rows, dtype=np.int64)
    twice = index[index.duplicated()].tolist()
    if twice:
        raise AuthorsError(
            f"{path}: row {twice[0]} occurs twice in the index ({len(twice)} rows too many); take one away"
        )
    return index


def labels_table(labels: pd.DataFrame) -> pa.Table:
    """A frame as `read_labels` gives it as the Arrow table of a labels file: the index is the row."""
    schema = pa.schema(
        [
            ("caption", pa.string()), ("url", pa.string()), ("overfit_type", pa.string()),
            ("gen_seeds", pa.list_(pa.int64())), ("retrieved_urls", pa.list_(pa.string())),
            ("template_indices", pa.list_(pa.list_(pa.int64()))), ("mse_real_gen", pa.float64()),
            ("row", pa.int64()),
        ]
    )  # fmt: skip
    return pa.Table.from_pandas(
        labels.set_index("row")[list(COLUMNS)], schema=schema, preserve_index=True
    )


def listed_captions(labels: pd.DataFrame) -> pd.DataFrame:
    """The prompts of a labels frame, each caption once (its first row): caption, url, row."""
    return labels.drop_duplicates("caption")[["caption", "url", "row"]].reset_index(drop=True)


def find_rows(wanted: pd.DataFrame, shards: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The rows that listed captions have in the data: by caption and address, else caption, else address.

    A row in another's list counts rows of another copy of LAION, so no listed row is trusted: what is
    found has the caption or the address that was listed.

    Parameters
    ----------
    wanted
        caption (unique), url ("": none).
    shards
        row, url, caption of the data's shards, in any order; one is held at a time.

    Returns
    -------
    As long as `wanted` and in its order: row (of equally good ones the lowest, -1 if there is none),
    caption_count (rows with this caption), how ("caption and url", "caption", "url" or "").
    """
    captions = pd.Index(wanted["caption"], dtype=object)
    urls = wanted["url"].to_numpy(dtype=object)
    known = pd.Index(wanted.loc[wanted["url"] != "", "url"].unique(), dtype=object)
    # places of the list by address, as one address may be listed under several captions
    of_url = pd.DataFrame({"url": known.get_indexer(urls), "place": np.arange(len(wanted))})
    of_url = of_url[of_url["url"] >= 0]
    # what is best is the largest number: the worth first, then the lowest row
    best: np.ndarray = np.full(len(wanted), -ROOM)
    counts = np.zeros(len(wanted), dtype=np.int64)
    for shard in shards:
        rows, addresses = shard["row"].to_numpy(), shard["url"].to_numpy(dtype=object)
        at = captions.get_indexer(shard["caption"])
        places, mine = at[at >= 0], np.flatnonzero(at >= 0)
        np.add.at(counts, places, 1)
        both = (addresses[mine] == urls[places]) & (urls[places] != "")
        np.maximum.at(best, places, (1 + both) * ROOM - rows[mine])
        near = pd.DataFrame({"url": known.get_indexer(addresses), "row": rows})
        near = near[near["url"] >= 0].merge(of_url, on="url")
        np.maximum.at(best, near["place"].to_numpy(), -near["row"].to_numpy())
    worth = -(-best // ROOM)
    found = worth >= 0
    words = np.array(["url", "caption", "caption and url"], dtype=object)
    return pd.DataFrame(
        {
            "row": np.where(found, worth * ROOM - best, -1),
            "caption_count": counts,
            "how": np.where(found, words[np.where(found, worth, 0)], ""),
        }
    )


def prompt_ids(captions: Iterable[str]) -> list[int]:
    """Key of each caption."""
    return [prompt_id(caption) for caption in captions]
