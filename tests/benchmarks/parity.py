"""How far our numbers are from those of third parties' own code, in one table.

    python tests/benchmarks/parity.py [FOLDER]

Each row compares a number of ours with the same number by a package or by the formula of a public implementation,
written out in this folder's `parity/`: how many pairs of values, their largest difference, and the tolerance up to
which they agree. Networks are tiny ones of the real classes with random weights, images are photographs that packages
bring along. Nothing is fetched.

A package that is not there is named, and its rows are "not compared"; `parity/packages.txt` lists those
that the lock does not have. FOLDER receives the table as `parity.csv`. The exit status is 1 if a row is beyond its
tolerance or failed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # sums are in one order
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow/src"))

import pandas as pd
from parity import copies, denoising, duplicates, edges, estimates, labels
from parity.comparison import BEYOND, FAILED, NOT_COMPARED, WITHIN, Comparison, compare_all

COMPARISONS: list[Comparison] = [
    comparison
    for part in (edges, labels, denoising, copies, duplicates, estimates)
    for comparison in part.COMPARISONS
]


def show(table: pd.DataFrame) -> str:
    """The table as aligned text, and a line that counts its rows."""
    shown = table.copy()
    for column in ("largest difference", "stated tolerance"):
        shown[column] = [f"{value:.2g}" for value in table[column]]
    shown.loc[table["within"].isin([NOT_COMPARED, FAILED]), "largest difference"] = "-"
    counts = table["within"].value_counts()
    words = {WITHIN: "within", BEYOND: "beyond", FAILED: "failed", NOT_COMPARED: NOT_COMPARED}
    said = ", ".join(f"{counts.get(key, 0)} {word}" for key, word in words.items())
    widths = [max(map(len, map(str, [name, *shown[name]]))) for name in shown]
    lines = [list(shown.columns), *shown.astype(str).to_numpy().tolist()]
    text = "\n".join(
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    return f"{text}\n\n{len(table)} rows: {said}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, help="where parity.csv is written")
    args = parser.parse_args()
    start = time.process_time()
    with tempfile.TemporaryDirectory() as scratch:
        table = compare_all(COMPARISONS, Path(scratch))
    print(show(table))
    print(f"{time.process_time() - start:.0f} s of a processor")
    if args.folder:
        args.folder.mkdir(parents=True, exist_ok=True)
        table.to_csv(args.folder / "parity.csv", index=False)
    sys.exit(int(table["within"].isin([BEYOND, FAILED]).any()))


if __name__ == "__main__":
    main()
