"""How the tables are written."""

from __future__ import annotations

import pandas as pd


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV, six significant digits, so that a rerun on one machine gives equal bytes."""
    return table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
