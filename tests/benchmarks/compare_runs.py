"""Are two runs the same? Table 1 to the byte, every other table cell by cell, weights and images by digest.

python tests/benchmarks/compare_runs.py results/a results/b
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd

TIMED = {"seconds"}  # columns that differ between any two runs
SKIPPED = ("logs", "benchmarks", "seeds", "checkpoints")


def digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def largest_difference(one: pd.DataFrame, two: pd.DataFrame) -> float:
    """Largest relative difference of the numbers of two tables; inf where anything else differs."""
    if list(one.columns) != list(two.columns) or len(one) != len(two):
        return float("inf")
    worst = 0.0
    for column in [c for c in one.columns if c not in TIMED]:
        a, b = one[column], two[column]
        if a.dtype.kind != "f":
            if not a.astype(str).equals(b.astype(str)):
                return float("inf")
            continue
        x, y = a.to_numpy(float), b.to_numpy(float)
        if not np.array_equal(np.isfinite(x), np.isfinite(y)):
            return float("inf")
        x, y = x[np.isfinite(x)], y[np.isfinite(y)]
        if len(x):
            worst = max(worst, float(np.max(np.abs(x - y) / np.maximum(np.abs(x), 1e-7))))
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("one", type=Path)
    parser.add_argument("two", type=Path)
    parser.add_argument("--tolerance", type=float, default=1e-4, help="relative, of float columns")
    asked = parser.parse_args()
    files = [
        path.relative_to(asked.one)
        for path in sorted(asked.one.rglob("*"))
        if path.is_file() and path.relative_to(asked.one).parts[0] not in SKIPPED
    ]
    counts: dict[str, int] = {"equal bytes": 0, "within tolerance": 0}
    wrong = []
    for name in files:
        one, two = asked.one / name, asked.two / name
        if not two.exists():
            wrong.append(f"{name}: only in {asked.one}")
        elif digest(one) == digest(two):
            counts["equal bytes"] += 1
        elif name.suffix in (".parquet", ".csv"):
            read = pd.read_parquet if name.suffix == ".parquet" else pd.read_csv
            worst = largest_difference(read(one), read(two))
            if worst <= asked.tolerance and name.name != "table1.csv":
                counts["within tolerance"] += 1
            else:
                wrong.append(f"{name}: differs by {worst:.2g} (relative)")
        else:
            wrong.append(f"{name}: other bytes")
    print(f"{len(files)} files: " + ", ".join(f"{n} {what}" for what, n in counts.items()))
    print("\n".join(wrong) or "nothing else differs")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
