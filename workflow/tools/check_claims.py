"""Does a run reproduce the claims of workflow/docs/claims.md? One line for each claim; exit 1 where one is outside its tolerance.

python workflow/tools/check_claims.py results
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow" / "src"))

from verbatim.tables.documents import DocumentError, read_results  # noqa: E402
from verbatim.tables.reproduced import compare_sections  # noqa: E402

CLAIMS = ROOT / "workflow" / "docs" / "claims.md"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("results", type=Path, help="results folder of a finished run")
    asked = parser.parse_args()

    read = read_results(asked.results)
    try:
        sections = compare_sections(CLAIMS.read_text("utf-8"), read)
    except DocumentError as err:
        print(err, file=sys.stderr)
        return 1
    for section in sections:
        same = section.lookups - len(section.differences)
        print(f"{section.verdict}: {section.title} ({same} of {section.lookups} numbers are equal)")
        for expected, found in section.differences:
            print(f"    expected {expected}\n    found    {found}")
    outside = [section.title for section in sections if section.verdict == "outside tolerance"]
    print(f"{len(sections) - len(outside)} of {len(sections)} claims reproduced")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
