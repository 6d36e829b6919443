"""Write the column dictionaries of results/README.md from the table contracts: `make docs`.

The page's first part is written by hand; what follows the mark is replaced.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow" / "src"))

from verbatim.io.contracts import CONTRACTS, Table  # noqa: E402
from verbatim.io.records import SCHEMAS  # noqa: E402

MARK = "<!-- `make docs` writes what follows from workflow/src/verbatim/io/contracts -->"
HEADINGS = {
    "world": "World",
    "inputs": "Inputs",
    "dedup": "Deduplication",
    "whitebox": "White box",
    "blackbox": "Black box",
    "detectors": "Detectors",
    "postfilter": "Post-filter",
    "costs": "Costs",
    "labels": "Labels",
    "evidence": "Evidence",
    "tables": "Tables",
    "study": "Copying study",
    "mitigations": "Mitigations attacked again",
    "triggers": "Triggers searched without captions",
}


def describe_table(kind: str, table: Table) -> list[str]:
    """Markdown lines of one table: its file, its row, and a line for each column."""
    files = ", ".join(f"`{file.strip()}`" for file in table.file.split(","))
    lines = [f"### {files}", "", f"One row is {table.row}.", ""]
    schema = SCHEMAS.get(kind)
    if schema is None:
        lines += ["| column | meaning |", "|---|---|"]
        return lines + [f"| `{name}` | {text} |" for name, text in table.columns.items()] + [""]
    lines += ["| column | type | meaning |", "|---|---|---|"]
    return [
        *lines,
        *(f"| `{name}` | {schema.field(name).type} | {text} |" for name, text in table.columns.items()),
        "",
    ]  # fmt: skip


def describe(page: str) -> str:
    """The page with its generated part written anew."""
    lines = [page.partition(MARK)[0].rstrip(), "", MARK, ""]
    for stage, tables in CONTRACTS.items():
        lines += [f"## {HEADINGS.get(stage, stage)}", ""]
        for kind, table in tables.items():
            lines += describe_table(kind, table)
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    path = ROOT / "results" / "README.md"
    path.write_text(describe(path.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
