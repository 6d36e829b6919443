"""Numbers in documents: looked up in a run's own tables, never typed.

A document holds a lookup in an HTML comment, which a reader of the rendered page does not see, and what was
found behind it:

    <!-- tables/recall.csv | model=sd1, kind=full, count=all | {found} of {planted} -->38 of 50<!-- . -->
    <!-- tables/table1_vs_paper.csv | | Model, Exact, Exact (paper) -->
    a Markdown table
    <!-- . -->

The first part names a CSV file of the results folder, the second the rows (column=value, joined by commas;
a value may hold commas; empty: all), the third a format of exactly one row's cells or, between comments on lines of their own, the
columns of a Markdown table (`column as Heading` renames one).
"""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

LOOKUP = re.compile(
    r"<!-- (?P<file>[\w./-]+\.csv) \| (?P<rows>[^|\n]*?) ?\| (?P<shown>[^\n]+?) -->"
    r"(?P<found>.*?)<!-- \. -->",
    re.S,
)

# a comma between two conditions, not one inside a value
BETWEEN = re.compile(r",(?=\s*\w+\s*=)")


class DocumentError(ValueError):
    """A lookup cannot be answered; the message names the document's lookup, the file and the cure."""


@dataclass(frozen=True)
class Lookup:
    """One lookup of a document.

    file : path of a CSV file in the results folder.
    rows : column -> value that a row must have, as text.
    shown : a format string with column names, or the columns of a table.
    is_table : whether it stands on a line of its own and shows a Markdown table.
    """

    file: str
    rows: Mapping[str, str]
    shown: str
    is_table: bool

    def __str__(self) -> str:
        rows = ", ".join(f"{column}={value}" for column, value in self.rows.items())
        return f"{self.file} | {rows} | {self.shown}"


def _parse(match: re.Match[str]) -> Lookup:
    rows = {}
    parts = BETWEEN.split(match["rows"])
    for part in filter(None, (one.strip() for one in parts)):
        column, equals, value = part.partition("=")
        if not equals:
            raise DocumentError(f"lookup {match[0].splitlines()[0]!r}: {part!r} is no column=value")
        rows[column.strip()] = value.strip()
    return Lookup(match["file"], rows, match["shown"], match["found"].startswith("\n"))


def list_lookups(document: str) -> list[tuple[Lookup, str]]:
    """Every lookup of a document in its order, and the text that stands behind it."""
    return [(_parse(match), match["found"]) for match in LOOKUP.finditer(document)]


class _Cells(string.Formatter):
    """Formats cells by column name alone: no attributes, no indices, no conversions."""

    def get_field(self, name: str, args: Any, kwargs: Any) -> tuple[Any, str]:
        if name not in kwargs:
            raise DocumentError(f"there is no column {name!r}")
        return kwargs[name], name


def answer(lookup: Lookup, table: pd.DataFrame) -> str:
    """What a lookup shows of its table.

    Raises DocumentError where a column is missing, or where the rows of a format are not exactly one.
    """
    chosen = table
    for column, value in lookup.rows.items():
        if column not in chosen.columns:
            raise DocumentError(f"{lookup}: {lookup.file} has no column {column!r}")
        chosen = chosen[chosen[column].astype(str) == value]
    if lookup.is_table:
        return _markdown(lookup, chosen)
    if len(chosen) != 1:
        raise DocumentError(f"{lookup}: {len(chosen)} rows fit, must be 1; name more columns")
    cells = {str(name): value for name, value in chosen.iloc[0].items()}
    try:
        return _Cells().vformat(lookup.shown, (), cells)
    except (ValueError, TypeError) as err:
        raise DocumentError(f"{lookup}: {err}") from err


def _markdown(lookup: Lookup, table: pd.DataFrame) -> str:
    pairs = [part.strip().partition(" as ") for part in lookup.shown.split(",")]
    lines = []
    headings = [heading or column for column, _, heading in pairs]
    for column, _, _ in pairs:
        if column not in table.columns:
            raise DocumentError(f"{lookup}: {lookup.file} has no column {column!r}")
    lines.append("| " + " | ".join(headings) + " |")
    lines.append("|" + "---|" * len(headings))
    for _, row in table.iterrows():
        lines.append("| " + " | ".join(_cell(row[column]) for column, _, _ in pairs) + " |")
    return "\n" + "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else f"{value:.2f}"
    return str(value)


def fill(
    document: str,
    read: Callable[[str], pd.DataFrame],
    lacks: Callable[[str], bool] = lambda _: False,
) -> str:
    """The document with every lookup answered again.

    read : file -> its table. lacks : file -> whether the run did not make it, so that what is shown of it stays.
    """

    def replace(match: re.Match[str]) -> str:
        lookup = _parse(match)
        if lacks(lookup.file):
            return match[0]
        head = match[0][: match.start("found") - match.start()]
        return f"{head}{answer(lookup, read(lookup.file))}<!-- . -->"

    return LOOKUP.sub(replace, document)


def read_results(folder: Path) -> Callable[[str], pd.DataFrame]:
    """What reads a CSV file of a finished run's results folder, each once. It raises DocumentError where the file is missing."""

    @functools.cache
    def read(file: str) -> pd.DataFrame:
        path = folder / file
        if not path.is_file():
            raise DocumentError(f"{path}: no such file; finish the run (`make all`) first")
        return pd.read_csv(path)

    return read
