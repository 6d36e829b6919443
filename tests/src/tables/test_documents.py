"""Numbers in documents come from a run's tables, and the documents that are shipped hold them."""

import re
import subprocess
import sys
from pathlib import Path
from string import Formatter

import pandas as pd
import pytest

from verbatim.io.contracts import CONTRACTS
from verbatim.tables.documents import DocumentError, fill, list_lookups

ROOT = Path(__file__).resolve().parents[3]
RECALL = pd.DataFrame(
    {"model": ["sd1", "sd1", "sd2"], "kind": ["full", "near", "full"], "found": [38, 3, 0],
     "planted": [50, 10, 50], "recall": [0.76, 0.3, 0.0]}
)  # fmt: skip


def read(file: str) -> pd.DataFrame:
    assert file == "tables/recall.csv"
    return RECALL


def test_a_lookup_is_answered_by_the_row_that_it_names_and_filling_twice_changes_nothing():
    text = "Recall is <!-- tables/recall.csv | model=sd1, kind=full | {found} of {planted}, {recall:.2f} -->?<!-- . -->."
    filled = fill(text, read)
    assert filled.endswith("-->38 of 50, 0.76<!-- . -->.")
    assert fill(filled, read) == filled


def test_a_lookup_on_lines_of_its_own_shows_a_table_with_renamed_columns():
    text = "<!-- tables/recall.csv | kind=full | model as Model, recall as Recall -->\n<!-- . -->\n"
    assert (
        fill(text, read)
        .split("-->")[1]
        .startswith("\n| Model | Recall |\n|---|---|\n| sd1 | 0.76 |\n| sd2 | 0 |\n")
    )


def test_what_a_run_did_not_make_stays_as_it_is():
    one = "<!-- tables/recall.csv | model=sd1, kind=full | {found} -->?<!-- . -->"
    other = "<!-- claims/counts.csv | kind=claim | {held} -->13<!-- . -->"
    filled = fill(f"{one} and {other}", read, lambda file: file.startswith("claims/"))
    assert filled == f"{one.replace('?', '38')} and {other}"


def test_a_folder_that_is_none_is_refused(tmp_path):
    tool = ROOT / "workflow/tools/fill_documents.py"
    done = subprocess.run([sys.executable, tool, tmp_path / "lost"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "lost: no such folder" in done.stderr


@pytest.mark.parametrize(
    ("rows", "shown", "said"),
    [
        ("kind=full", "{found}", "2 rows fit"),
        ("model=sd9", "{found}", "0 rows fit"),
        ("sort=full", "{found}", "no column 'sort'"),
        ("model=sd2", "{lost}", "no column 'lost'"),
        ("model=sd2", "{found.__class__}", "no column"),
        ("model=sd2", "{model:.2f}", "format code"),
        ("model", "{found}", "no column=value"),
    ],
)
def test_a_lookup_that_cannot_be_answered_is_refused_by_name(rows, shown, said):
    with pytest.raises(DocumentError, match=said):
        fill(f"<!-- tables/recall.csv | {rows} | {shown} --><!-- . -->", read)


def test_two_lookups_on_one_line_are_told_apart():
    one = "<!-- tables/recall.csv | model=sd2 | {found} -->0<!-- . -->"
    assert [text for _, text in list_lookups(f"{one} and {one}")] == ["0", "0"]


@pytest.mark.slow
def test_the_shipped_documents_hold_the_numbers_of_the_kept_run():
    done = subprocess.run(
        [sys.executable, ROOT / "workflow/tools/fill_documents.py", "--check"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_a_comma_inside_a_value_does_not_end_it():
    table = pd.DataFrame({"finding": ["AUC, full against held_out", "AUC"], "model": ["sd1", "sd1"], "n": [7, 8]})  # fmt: skip
    text = "<!-- a.csv | finding=AUC, full against held_out, model=sd1 | {n} -->?<!-- . -->"
    assert "-->7<!--" in fill(text, lambda file: table)


def test_every_lookup_of_a_shipped_document_names_columns_of_its_table():
    known = {kind: table for tables in CONTRACTS.values() for kind, table in tables.items()}
    for path in (ROOT / "README.md", *(ROOT / "workflow/docs").glob("*.md")):
        for lookup, _ in list_lookups(path.read_text("utf-8")):
            # a run of another world or with more noise seeds lies in a folder of the same results
            file = re.sub(r"^(trained|four_seeds|seeds/\d+)/", "", lookup.file)
            columns = set(known[file].columns)
            if lookup.is_table:
                shown = {part.partition(" as ")[0].strip() for part in lookup.shown.split(",")}
            else:
                shown = {name for _, name, _, _ in Formatter().parse(lookup.shown) if name}
            assert {*lookup.rows, *shown} <= columns, f"{path.name}: {lookup}"
