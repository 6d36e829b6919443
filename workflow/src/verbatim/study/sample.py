"""The sample of a run: the images that similarities, quality and complexity speak of; pandas alone."""

from __future__ import annotations

import numpy as np
import pandas as pd


def in_sample(generations: pd.DataFrame) -> np.ndarray:
    """Whether each generation is in the sample (kind `one`), (n,) bool; further ones only help to find copies."""
    return (generations["kind"] == "one").to_numpy()


def sample_similarities(similarities: pd.DataFrame, generations: pd.DataFrame) -> pd.DataFrame:
    """The rows of a run's `study_similarities` that are of its sample, all descriptors."""
    chosen = generations["generation"][in_sample(generations)]
    return similarities[similarities["generation"].isin(chosen)]
