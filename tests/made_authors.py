"""Labels in the authors' layout, made by hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

LABELS = {
    "caption": ["a red heart", "a blue heart", "a rug, in red", "nothing of note"],
    "url": ["https://x.invalid/7", "https://x.invalid/3", None, "https://x.invalid/9"],
    "overfit_type": ["MV", "RV", "TV", "N"],
    "gen_seeds": [[], [0, 3], [1], None],
    "retrieved_urls": [[], ["https://x.invalid/5"], ["https://x.invalid/1"], []],
    "template_indices": [[], [], [[0, 2]], []],
    "mse_real_gen": [120.5, 40_000.0, 2_600.0, None],
}
ROWS = [7, 3, 2**40, 9]


def write_labels(path: Path, rows: list | None = None, drop: str = "", **changed: list) -> Path:
    """A labels file as pandas writes it, its index the rows; `changed` columns, one left away."""
    data = {k: v for k, v in (LABELS | changed).items() if k != drop}
    frame = pd.DataFrame(data, index=ROWS if rows is None else rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pandas(frame), path)
    return path
