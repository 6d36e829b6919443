"""What people decided is read strictly, and an error says where and what to do."""

from __future__ import annotations

import pandas as pd
import pytest

from verbatim.config.decisions import COLUMNS, DecisionError, of_model, read_decisions
from verbatim.io.spreadsheets import csv_text

HEAD = ",".join(COLUMNS) + "\n"


def read(tmp_path, text, models=("sd1", "if")):
    path = tmp_path / "review.csv"
    path.write_text(text, encoding="utf-8")
    return read_decisions(path, models)


def test_decisions_are_read_by_model_and_prompt(tmp_path):
    text = (
        HEAD + 'sd1,7,accept,"a note, quoted",me,2026-01-31\n\nif,9223372036854775807,reject,,,\n'
    )
    table = read(tmp_path, text)
    assert of_model(table, "sd1", [7, 8], "f") == {7: "accept"}
    assert of_model(table, "if", [2**63 - 1], "f") == {2**63 - 1: "reject"}
    assert table["note"].tolist() == ["a note, quoted", ""]


def test_a_file_with_the_header_alone_and_no_file_at_all_decide_nothing(tmp_path):
    for table in (read(tmp_path, HEAD), read_decisions("", ["sd1"])):
        assert of_model(table, "sd1", [], "f") == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sd9,7,accept,,,", "line 2: model is 'sd9'; rows of the models sheet: if, sd1"),
        ("sd1,7,maybe,,,", "line 2: decision is 'maybe'; write accept or reject"),
        ("sd1,7.1E+18,accept,,,", "line 2: prompt_id is '7.1E+18', no whole number; spreadsheet"),
        ("sd1,9223372036854775808,accept,,,", "no whole number"),
        ("sd1,7,accept,,,31.1.2026", "line 2: date is '31.1.2026'; write YYYY-MM-DD"),
        ("sd1,7,accept,a note, unquoted,me,", "line 2: 7 cells"),
        (
            "sd1,7,accept,,,\n\nsd1,007,reject,,,",
            "line 4: model 'sd1', prompt_id 7 is decided in line 2 too",
        ),
        ("sd1,7.0,accept,,,", "prompt_id is '7.0', no whole number"),
        (
            "sd1,7,accept,,,\nsd1,7,reject,,,",
            "line 3: model 'sd1', prompt_id 7 is decided in line 2 too",
        ),
    ],
)
def test_a_wrong_row_is_named_with_its_value_and_the_cure(tmp_path, line, said):
    with pytest.raises(DecisionError) as err:
        read(tmp_path, HEAD + line + "\n")
    assert said in str(err.value)
    assert "review.csv" in str(err.value)


def test_wrong_columns_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(DecisionError, match="line 1: read as semicolon-separated, the columns are"):
        read(tmp_path, "model;prompt_id\n")
    with pytest.raises(DecisionError, match=r"no such file\. It is labels\.decisions"):
        read_decisions(tmp_path / "absent.csv", ["sd1"])


def test_a_decision_on_no_candidate_is_named_with_its_row(tmp_path):
    table = read(tmp_path, HEAD + "if,1,accept,,,\nsd1,7,accept,,,\n")
    with pytest.raises(
        DecisionError, match=r"review\.csv, line 3: prompt_id 7 .*no candidate of sd1"
    ):
        of_model(table, "sd1", [8], "review.csv")


def test_a_note_that_would_be_a_formula_comes_back_as_it_was_written(tmp_path):
    text = csv_text(pd.DataFrame([["sd1", "7", "accept", "=1+1", "@me", ""]], columns=COLUMNS))
    assert "'=1+1,'@me" in text
    table = read(tmp_path, text)
    assert table[["note", "reviewer"]].iloc[0].tolist() == ["=1+1", "@me"]


@pytest.mark.parametrize(
    "form", ["semicolons", "utf-16 tabs", "trailing cells", "blank rows", "parquet"]
)
def test_decisions_that_a_spreadsheet_saved_again_are_the_same(tmp_path, form):
    rows = pd.DataFrame(
        [["sd1", "7", "accept", "a note, quoted", "", "2026-01-31"]], columns=COLUMNS
    )
    path = tmp_path / "review.csv"
    if form == "semicolons":
        rows.to_csv(path, sep=";", index=False, encoding="utf-8-sig")
    elif form == "utf-16 tabs":
        rows.to_csv(path, sep="\t", index=False, encoding="utf-16")
    elif form == "parquet":
        path = tmp_path / "review.parquet"
        rows.astype({"prompt_id": "int64"}).to_parquet(path, index=False)
    else:
        lines = rows.to_csv(index=False).splitlines()
        more = ",," if form == "trailing cells" else ""
        path.write_text("".join(f"{line}{more}\r\n" for line in [*lines, "," * 5]))
    table = read_decisions(path, ["sd1"])
    assert table[COLUMNS].to_numpy().tolist() == [
        ["sd1", 7, "accept", "a note, quoted", "", "2026-01-31"]
    ]
