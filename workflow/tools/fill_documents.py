"""Fill the numbers of README.md and workflow/docs from a run's own tables.

python workflow/tools/fill_documents.py results        fill, take the README's figure, and keep what was used in workflow/docs/numbers.json;
                                                       numbers of files that this run did not make stay
python workflow/tools/fill_documents.py --check        do documents and workflow/docs/numbers.json agree?
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow" / "src"))

from verbatim.tables.documents import DocumentError, fill, list_lookups, read_results  # noqa: E402

FIGURE = ROOT / "workflow" / "report" / "readme" / "copies.png"
NUMBERS = ROOT / "workflow" / "docs" / "numbers.json"


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "workflow" / "docs").glob("*.md"))]


def all_numbers() -> dict[str, str]:
    """Lookup -> the text behind it, of all documents."""
    found = {}
    for path in documents():
        for lookup, text in list_lookups(path.read_text("utf-8")):
            found[str(lookup)] = text
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("results", nargs="?", type=Path, help="results folder of a finished run")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 where they differ"
    )
    asked = parser.parse_args()
    if asked.check:
        known = json.loads(NUMBERS.read_text("utf-8"))
        wrong = [key for key, text in all_numbers().items() if known.get(key) != text]
        for key in wrong:
            print(f"not from the kept run: {key}; run `make docs RUN=results`")
        return 1 if wrong else 0
    if asked.results is None:
        parser.error("name the results folder of a finished run, or --check")
    if not asked.results.is_dir():
        parser.error(f"{asked.results}: no such folder; name the results folder of a finished run")

    read = read_results(asked.results)
    kept = set()

    def lacks(file: str) -> bool:
        if (asked.results / file).is_file():
            return False
        kept.add(file)
        return True

    try:
        filled = {path: fill(path.read_text("utf-8"), read, lacks) for path in documents()}
    except DocumentError as err:
        print(err, file=sys.stderr)
        return 1
    figure = asked.results / "figures" / FIGURE.name
    if figure.is_file():
        shutil.copyfile(figure, FIGURE)
    else:
        kept.add(f"figures/{FIGURE.name}")
    for file in sorted(kept):
        print(f"{asked.results / file}: no such file, so what documents show of it stays")
    for path, text in filled.items():
        path.write_text(text, encoding="utf-8")
    NUMBERS.write_text(
        json.dumps(all_numbers(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
