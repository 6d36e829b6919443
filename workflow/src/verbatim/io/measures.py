"""Rows of a table of measures: a number with its n and its interval, of a point, a seed and a defence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from verbatim.metrics.intervals import NAN, wilson


def half_width(values: np.ndarray, confidence: float) -> float:
    """How far the interval of a mean reaches each way, by the normal distribution; NaN for fewer than two values.

    `contrasts` turns intervals back into standard errors by the same quantile.
    """
    x = np.asarray(values, np.float64)
    z = float(ndtri(0.5 + confidence / 2))
    return z * float(x.std(ddof=1)) / np.sqrt(len(x)) if len(x) > 1 else NAN


@dataclass
class Measures:
    """Collects rows of a `run_measures` table for one run."""

    point: str
    seed: int
    defence: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        measure: str,
        value: float,
        n: int,
        low: float = NAN,
        high: float = NAN,
        note: str = "",
    ) -> None:
        self.rows.append(
            {
                "point": self.point, "seed": self.seed, "defence": self.defence, "measure": measure,
                "value": float(value), "n": int(n), "low": float(low), "high": float(high), "note": note,
            }
        )  # fmt: skip

    def add_share(self, measure: str, hits: np.ndarray, confidence: float, note: str = "") -> None:
        """A share with Wilson's interval; NaN if `hits` is empty."""
        n, found = len(hits), int(np.sum(hits))
        low, high = wilson(found, n, confidence)
        self.add(measure, found / n if n else NAN, n, float(low), float(high), note)

    def add_mean(self, measure: str, values: np.ndarray, confidence: float, note: str = "") -> None:
        """A mean with its interval; NaN if `values` is empty."""
        mean = float(np.mean(values)) if len(values) else NAN
        half = half_width(values, confidence)
        self.add(measure, mean, len(values), mean - half, mean + half, note)

    @property
    def table(self) -> pd.DataFrame:
        columns = ["point", "seed", "defence", "measure", "value", "n", "low", "high", "note"]
        return pd.DataFrame(self.rows, columns=columns)
