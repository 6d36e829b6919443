"""One comparison of our numbers with a third party's own code, and the row of the table that it gives."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[3]
NOT_COMPARED, WITHIN, BEYOND, FAILED = "not compared", "yes", "NO", "FAILED"
COLUMNS = (
    "what", "ours", "beside", "pairs compared", "largest difference", "stated tolerance", "unit", "within", "note"
)  # fmt: skip


class Measured(NamedTuple):
    """pairs : how many pairs of values were compared, at least 1. difference : the largest. note : what was compared."""

    pairs: int
    difference: float
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    what : the number. ours : the module and function that gives it. beside : the third party's.
    tolerance : difference up to which they agree, in `unit`.
    measure : folder for files -> what was found.
    needs : modules that only this comparison imports, module -> package that has it.
    """

    what: str
    ours: str
    beside: str
    tolerance: float
    unit: str
    measure: Callable[[Path], Measured]
    needs: dict[str, str] = field(default_factory=dict)


def lacking(needs: dict[str, str]) -> list[str]:
    """The packages whose modules cannot be imported here, sorted."""
    missing = set()
    for module, package in needs.items():
        try:
            importlib.import_module(module)
        except ImportError as err:
            # a package that is there may lack one of its own
            other = (err.name or module).partition(".")[0]
            missing.add(package if other == module.partition(".")[0] else f"{package} ({other})")
    return sorted(missing)


def compare(one: Comparison, folder: Path) -> dict[str, object]:
    """The table's row of a comparison.

    `within` is "yes" only where something was compared and the difference is a number up to the tolerance. A
    comparison whose package is not there is "not compared"; one that ends in an error is "FAILED".
    """
    row: dict[str, object] = dict.fromkeys(COLUMNS, "")
    row |= {"what": one.what, "ours": one.ours, "beside": one.beside, "unit": one.unit}
    row |= {"stated tolerance": one.tolerance, "pairs compared": 0, "largest difference": np.nan}
    if missing := lacking(one.needs):
        return row | {"within": NOT_COMPARED, "note": f"lacks {', '.join(missing)}"}
    try:
        found = one.measure(folder)
    except Exception as err:  # of any package: the other comparisons go on
        return row | {"within": FAILED, "note": f"{type(err).__name__}: {err}"}
    agrees = found.pairs > 0 and found.difference <= one.tolerance  # a NaN does not agree
    return row | {
        "pairs compared": found.pairs,
        "largest difference": found.difference,
        "within": WITHIN if agrees else BEYOND,
        "note": found.note,
    }


def compare_all(comparisons: Iterable[Comparison], folder: Path) -> pd.DataFrame:
    """One row a comparison, in their order; each is announced on standard error."""
    rows = []
    for one in comparisons:
        print(f"{one.what} ...", file=sys.stderr)
        rows.append(compare(one, folder))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def largest(a: object, b: object) -> float:
    """Largest absolute difference of two arrays of one shape."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.shape != y.shape:
        raise ValueError(f"arrays of {x.shape} and {y.shape} cannot be compared")
    return float(np.abs(x - y).max())


def relative(a: object, b: object) -> float:
    """Largest difference of a and b, a share of the value of b (1 where that is 0)."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.shape != y.shape:
        raise ValueError(f"arrays of {x.shape} and {y.shape} cannot be compared")
    return float((np.abs(x - y) / np.where(y == 0, 1, np.abs(y))).max())
