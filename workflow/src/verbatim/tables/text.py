"""How the tables are written, and what their numbers name."""

from __future__ import annotations

import pandas as pd


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV, six significant digits, so that a rerun on one machine gives equal bytes."""
    return table.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def name_preset(table: pd.DataFrame) -> str:
    """The preset behind a stage's table; "" where nothing was scored or judged."""
    return ",".join(sorted(set(table["preset"])))
