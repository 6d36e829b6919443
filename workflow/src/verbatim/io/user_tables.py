"""The one reader of every table that a user brings: prompts, labels, manifests, sheets, decisions.

| suffix | form |
|---|---|
| .csv, .tsv, .tab | a header and rows; comma, semicolon, tab or vertical bar, told from the header |
| .jsonl, .ndjson | an object a line |
| .parquet, .pq | any type of column that can be said as text |
| .txt | one text a line, where the caller takes such lists; a tab-separated table with a header otherwise |

Cells are text as written, or None. Nothing is cut, shifted or replaced: what cannot be read for certain is refused, naming
the file, the line (as an editor counts) or the row of a Parquet file (from 0, as pandas counts), and the cure.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from verbatim.io.columns import CAPTIONS, MANIFEST, Names, find_columns
from verbatim.io.json_lines import read_json_lines
from verbatim.io.parquet_text import UserTableError, open_parquet, read_texts
from verbatim.io.plain_files import (
    LineSource,
    Rows,
    read_delimited,
    read_lines,
)

PARQUET = (".parquet", ".pq")
DELIMITED = (".csv", ".tsv", ".tab")
JSON_LINES = (".jsonl", ".ndjson")
LINES = (".txt",)
__all__ = [
    "CAPTIONS",
    "MANIFEST",
    "UserTable",
    "UserTableError",
    "check_columns",
    "count_rows",
    "read_user_table",
]
CHECKED_WHOLE = 4_000_000  # bytes of a text file that is read whole before any work: 0.1 s


@dataclass(frozen=True)
class UserTable:
    """A user's table.

    frame : str or None in every cell, a column for each that was asked for and found; index 0 to n - 1.
    places : (n,) line of the file, or row of a Parquet file. names : of all columns, as the file has them.
    what : the form in words ("comma-separated").
    """

    path: Path
    frame: pd.DataFrame
    places: npt.NDArray[np.int64]
    names: tuple[str, ...]
    what: str

    def where(self, i: int) -> str:
        """File and line or row of row `i`, for a message."""
        unit = "row" if self.what == "Parquet" else "line"
        return f"{self.path}, {unit} {self.places[i]}"

    def without_empty_rows(self) -> UserTable:
        """The table without the rows that hold nothing, which spreadsheets leave at the end."""
        blank = self.frame.fillna("").map(lambda cell: cell == "").all(axis=1).to_numpy(dtype=bool)
        kept = self.frame[~blank].reset_index(drop=True)
        return replace(self, frame=kept, places=self.places[~blank])


def read_user_table(
    path: str | os.PathLike,
    columns: Names | None = None,
    required: Sequence[str] = (),
    comments: bool = False,
    lines_of: str = "",
) -> UserTable:
    """Read a user's table, whatever its form.

    Parameters
    ----------
    columns
        Our name -> names that it goes by, small letters. None: every column under its own name, each once.
    required
        Of ours, those that must be there.
    comments
        Lines of a delimited file that begin with # are left out.
    lines_of
        Our column that a .txt file without a header is, one text a line; "": there is no such file.

    Raises
    ------
    UserTableError
        Naming file, line or row, and the cure.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    words = [word for names in (columns or {}).values() for word in names]
    if suffix in PARQUET:
        return _from_parquet(path, columns, required)
    if suffix in JSON_LINES:
        rows = read_json_lines(path)
    elif suffix in DELIMITED or (suffix in LINES and _is_table(path, words)):
        rows = read_delimited(path, words, comments)
    elif suffix in LINES and lines_of:
        return _made(path, read_lines(path, lines_of), {lines_of: lines_of})
    else:
        known = (*PARQUET, *DELIMITED, *JSON_LINES, *(LINES if lines_of else ()))
        raise UserTableError(f"{path}: its name must end in one of {', '.join(known)}")
    where = f"{path} ({rows.what})"
    return _made(path, rows, _chosen(rows.names, columns, required, where))


def _is_table(path: Path, words: Sequence[str]) -> bool:
    """Whether a .txt file has a header of tab-separated names (Excel's "Unicode text")."""
    first = next(iter(LineSource(path)), "").rstrip("\r\n")
    names = [name.strip().lower() for name in first.split("\t")]
    return len(names) > 1 and any(name in words for name in names)


def _chosen(
    names: Sequence[str], columns: Names | None, required: Sequence[str], where: str
) -> dict[str, str]:
    if columns is not None:
        return find_columns(names, columns, required, where)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserTableError(f"{where}: the columns {twice} occur twice; take one of them away")
    return {name: name for name in names}


def _made(path: Path, rows: Rows, chosen: Mapping[str, str]) -> UserTable:
    frame = {}
    for ours, name in chosen.items():
        at = rows.names.index(name)
        values = np.empty(len(rows.cells), dtype=object)
        for i, cells in enumerate(rows.cells):
            values[i] = _cell(cells[at], path, rows.lines[i], name)
        frame[ours] = values
    return UserTable(
        path,
        pd.DataFrame(frame, index=pd.RangeIndex(len(rows.cells)), dtype=object),
        np.array(rows.lines, dtype=np.int64),
        tuple(rows.names),
        rows.what,
    )


def _cell(value: object, path: Path, line: int, name: str) -> str | None:
    """A cell of JSON as text; a list of one is that one, as of Parquet."""
    if isinstance(value, list) and len(value) <= 1:
        value = value[0] if value else None
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise UserTableError(
            f"{path}, line {line}: {name!r} is a JSON {type(value).__name__}, not text; write a row for each text"
        )
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as err:
        raise UserTableError(
            f"{path}, line {line}: {name!r} has half of a surrogate pair at character {err.start}, which is no text; "
            "write the file again"
        ) from err
    return value


def _from_parquet(path: Path, columns: Names | None, required: Sequence[str]) -> UserTable:
    names = list(open_parquet(path).schema_arrow.names)
    chosen = _chosen(names, columns, required, str(path))
    texts = read_texts(path, list(chosen.values()))
    frame = pd.DataFrame({ours: texts[name] for ours, name in chosen.items()}, dtype=object)
    places = np.arange(len(frame), dtype=np.int64)
    return UserTable(path, frame, places, tuple(names), "Parquet")


def read_values(
    path: str | os.PathLike, texts: Sequence[str], numbers: Sequence[str]
) -> pd.DataFrame:
    """A table of printed values: these columns of text, and these of numbers; lines that begin with # are left out.

    Raises UserTableError naming file and line: a column is missing, or a cell of `numbers` is no number.
    """
    wanted = {name: (name,) for name in (*texts, *numbers)}
    table = read_user_table(path, wanted, tuple(wanted), comments=True).without_empty_rows()
    frame = table.frame.fillna("").astype(str)
    for name in numbers:
        values = pd.to_numeric(frame[name], errors="coerce")
        wrong = np.flatnonzero(values.isna() & frame[name].ne(""))
        if len(wrong):
            raise UserTableError(
                f"{table.where(wrong[0])}: {name} is {frame[name][wrong[0]]!r}, no number; correct it"
            )
        frame[name] = values
    return frame


def check_columns(path: str | os.PathLike, columns: Names, required: Sequence[str]) -> None:
    """Refuse a table that lacks a column: by the footer of a Parquet file, the header of a long text file; a short one is read.

    Parameters as of `read_user_table`; a .txt file may hold one text a line. Raises UserTableError.
    """
    path = Path(path)
    long = path.is_file() and path.stat().st_size > CHECKED_WHOLE
    if path.suffix.lower() in PARQUET:
        find_columns(open_parquet(path).schema_arrow.names, columns, required, str(path))
    elif long and path.suffix.lower() in DELIMITED:
        words = [word for names in columns.values() for word in names]
        rows = read_delimited(path, words, only_header=True)
        find_columns(rows.names, columns, required, f"{path} ({rows.what})")
    elif not long:
        read_user_table(path, columns, required, lines_of=required[0])


def whole_number(text: str) -> int | None:
    """A whole number from 0 to 2**63 - 1 that is written in any common way ("12", "12.0", "1.2e1"); None for any other text."""
    try:
        value = Decimal(text.strip())
    except (InvalidOperation, ValueError):
        return None
    if not (value.is_finite() and 0 <= value < 2**63 and value == value.to_integral_value()):
        return None
    return int(value)


def count_rows(path: str | os.PathLike) -> int:
    """Most rows that a user's table can have, without reading its cells: lines of a text file, or rows.

    Raises UserTableError or OSError for a file that cannot be read.
    """
    path = Path(path)
    if not path.is_file():  # a pipe would wait for ever
        raise UserTableError(f"{path}: no such file")
    if path.suffix.lower() in PARQUET:
        return int(open_parquet(path).metadata.num_rows)
    with open(path, encoding="latin-1") as file:
        return sum(1 for _ in file)
