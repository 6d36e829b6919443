"""Our CSV files: no text in them is a formula, and what was written is read."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law_examples import examples

from verbatim.io.spreadsheets import csv_text, plain_cell, read_csv, safe_cell

FORMULAS = [
    '=HYPERLINK("http://x.invalid","a")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_run_is_written_with_an_apostrophe(text):
    (_, (cell, number)) = csv.reader(
        io.StringIO(csv_text(pd.DataFrame({"a": [text], "b": [-1.5]})), newline="")
    )
    assert cell == "'" + text
    assert number == "-1.5"


@pytest.mark.parametrize("text", ["", "a = b", "'quoted'", "it's", "-1.5", "+3", "-", "日本"])
def test_other_texts_and_numbers_are_written_as_they_are_but_for_a_lone_sign(text):
    assert safe_cell(text) == ("'-" if text == "-" else text)


@given(st.text())
def test_every_text_comes_back_and_none_begins_as_a_formula(text):
    written = safe_cell(text)
    assert plain_cell(written) == text
    assert written[:1] not in tuple("=@\t\r")


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@examples(100)
@given(st.lists(st.tuples(CELL | st.sampled_from(FORMULAS), st.integers(-9, 9)), min_size=1))
def test_a_table_is_read_as_it_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    frame = pd.DataFrame([("text", 0), *rows], columns=["text", "number"])
    path.write_text(csv_text(frame), encoding="utf-8", newline="")
    read = read_csv(path, keep_default_na=False)
    assert read["text"].tolist() == frame["text"].tolist()
    assert read["number"].tolist() == frame["number"].tolist()
