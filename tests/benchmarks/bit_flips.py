"""Flip bits in files of ours and count what readers make of them: python tests/benchmarks/bit_flips.py [FLIPS] [SEED].

One bit of one file at a time, at a random place; FLIPS (400) are spread evenly over the kinds of `tests/own_files.py`.
caught: an error that names the file, or a kept part that is made again. harmless: what was read is what was written
(a date in a zip, say). other: other numbers were read; there must be none.
"""

from __future__ import annotations

import logging
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "workflow" / "src"), str(ROOT / "tests")]
os.environ.setdefault("OMP_NUM_THREADS", "1")

from own_files import KINDS, Kind, file_of, flip  # noqa: E402


def outcome(kind: Kind, folder: Path, chance: random.Random) -> str:
    """Write a file, flip a bit of it, read it."""
    made = folder / "made"
    kind.write(made)
    right = kind.read(made)
    file = file_of(kind, made)
    bit = flip(file, chance)
    try:
        read = kind.read(made)
    except Exception as err:
        named = str(made) in str(err)
        return "caught" if named else f"caught, file not named ({type(err).__name__}: {err})"
    if read is None:
        return "caught"
    if read == right:
        return "harmless"
    return f"other (bit {bit} of {8 * file.stat().st_size})"


def main() -> None:
    flips = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    logging.disable()
    chance = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    counts: dict[str, Counter[str]] = {kind.name: Counter() for kind in KINDS}
    with tempfile.TemporaryDirectory() as base:
        for i in range(flips):
            kind = KINDS[i % len(KINDS)]
            folder = Path(base, "flip")
            folder.mkdir()
            counts[kind.name][outcome(kind, folder, chance)] += 1
            shutil.rmtree(folder)
    total: Counter[str] = Counter()
    for name, found in counts.items():
        total += Counter({what.partition(" (")[0]: n for what, n in found.items()})
        print(f"{name:24s} {dict(found)}")
    print(f"{flips} flips: {dict(total)}")
    sys.exit(1 if total["other"] else 0)


if __name__ == "__main__":
    main()
