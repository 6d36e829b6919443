"""CSV text of the tables, and the names of presets in them."""

from __future__ import annotations

import pandas as pd

from verbatim.io.spreadsheets import csv_text

__all__ = ["csv_text", "name_preset"]


def name_preset(table: pd.DataFrame) -> str:
    """The preset behind a stage's table; "" where nothing was scored or judged."""
    return ",".join(sorted(set(table["preset"])))
