"""Pictures of a table of rows, in its order; for stages that need training pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from verbatim.inputs.pictures import TrainingPictures


def read_rows(rows: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Pictures (n, h, w, 3) in [0, 1] of a `rows` table, and the rows whose picture could be read."""
    read = []
    with TrainingPictures() as reader:
        for archive, member in zip(rows.archive, rows.member, strict=True):
            read.append(reader.read(archive, member).picture)
    there = np.array([picture is not None for picture in read], dtype=bool)
    return rows[there], np.stack([picture for picture in read if picture is not None])
