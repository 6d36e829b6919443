"""Pictures of a table of rows, in its order; for stages that need training pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from verbatim.inputs.pictures import TrainingPictures
from verbatim.io.images import ImageError


def read_rows(rows: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Pictures (n, h, w, 3) in [0, 1] of a `rows` table of the embedded world, and the rows themselves.

    Raises
    ------
    ImageError
        If one cannot be read: the world's archives are written here, so that this is damage and no state of a row.
    """
    read = []
    with TrainingPictures() as reader:
        for archive, member in zip(rows.archive, rows.member, strict=True):
            read.append(read_own(reader, archive, member))
    return rows, np.stack(read)


def read_own(reader: TrainingPictures, archive: str, member: str) -> np.ndarray:
    """A picture (h, w, 3) in [0, 1] of an archive that this run wrote.

    Raises
    ------
    ImageError
        Naming the archive and the cure, if it is missing or broken.
    """
    got = reader.read(archive, member)
    if got.picture is None:
        raise ImageError(
            f"{got.reason}: this run wrote that archive itself, so it is damaged; delete it and run again"
        )
    return got.picture
