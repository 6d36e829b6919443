"""CSV files of ours: other people's text is never a formula in them, and they are read as they were written.

Spreadsheet programs run a cell that begins with =, +, -, @, a tab or a carriage return (OWASP, "CSV Injection"). Such a
text is written with an apostrophe before it, as is one that has apostrophes before such a sign, so that taking one
apostrophe away gives the text back. Numbers are numbers.
"""

from __future__ import annotations

import csv
import os
import re
from typing import Any, Literal

import pandas as pd

from verbatim.io.seals import checked

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"''*[=+\-@\t\r]")


def safe_cell(text: str) -> str:
    """A text as it stands in a CSV file that a spreadsheet program may open."""
    if not _FORMULA.match(text):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def plain_cell(text: str) -> str:
    """The text that `safe_cell` was given."""
    return text[1:] if _ESCAPED.match(text) else text


def _each_text(table: pd.DataFrame, change: Any) -> pd.DataFrame:
    def of_cell(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    texts = [
        at
        for at, kind in enumerate(table.dtypes)
        if pd.api.types.is_object_dtype(kind) or pd.api.types.is_string_dtype(kind)
    ]
    out = table.copy()
    for at in texts:
        column = table.iloc[:, at]
        if any(isinstance(cell, str) and _FORMULA.match(cell) for cell in column):
            out.isetitem(at, [of_cell(cell) for cell in column])
    return out


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV, six significant digits, so that a rerun on one machine gives equal bytes."""
    safe = _each_text(table, safe_cell)
    # pandas leaves a lone carriage return without quotes, and a reader takes it for the end of the row
    lone = any(isinstance(cell, str) and "\r" in cell for name in safe for cell in safe[name])
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if lone else csv.QUOTE_MINIMAL
    return safe.to_csv(index=False, float_format="%.6g", lineterminator="\n", quoting=quoting)


def read_csv(path: str | os.PathLike, **options: Any) -> pd.DataFrame:
    """A table that `csv_text` wrote; options as of pandas.read_csv. Raises DamagedError, see `seals.checked`."""
    return _each_text(pd.read_csv(checked(path), **options), plain_cell)
