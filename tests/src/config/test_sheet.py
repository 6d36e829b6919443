"""An error of the models sheet names the row and the column; a job is told what it loads and no more."""

from pathlib import Path

import pandas as pd
import pytest

from verbatim.config.settings import ConfigError
from verbatim.config.sheet import (
    candidate_models,
    loading_row,
    read_models,
    select_models,
    trained_models,
    upscaler_row,
)

ROOT = Path(__file__).resolve().parents[3]
MODELS = ["sd1", "sd2", "if", "openjourney", "realisticvision"]


def test_the_default_sheet_is_sound_and_a_job_is_told_what_it_loads_and_no_more(sheet):
    models = read_models(sheet(), ROOT)
    assert list(models.index) == MODELS
    assert loading_row(models, "sd2") == {
        "model": "sd2", "family": "sd", "source": "train", "revision": "", "dtype": "float32",
        "memory": "full",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (("sd2", "family", "gan"), ["line 3", "family", "'gan'"]),
        (("if", "model", "IF 1"), ["line 4", "model", "'IF 1'"]),
        (("if", "candidates", "top sd1"), ["line 4", "candidates", "'top sd1'"]),
        (("if", "candidates", "top:sd9"), ["if refers to 'sd9'", "no row"]),
        (("openjourney", "init", "sd9"), ["openjourney refers to 'sd9'"]),
        (("openjourney", "candidates", "found:sd1,sd9"), ["'sd9'"]),
        (("sd2", "model", "sd1"), ["['sd1'] stand twice"]),
        (("openjourney", "init", "openjourney"), ["openjourney: init leads back to openjourney"]),
        (
            ("openjourney", "candidates", "found:sd1,openjourney"),
            ["candidates leads back to openj"],
        ),
        (("if", "candidates", "same:if"), ["if: candidates leads back to if"]),
        (("sd1", "training", ""), ["sd1 is trained here", "`training`"]),
        (("sd1", "dtype", "float8"), ["line 2", "dtype", "'float8'"]),
        (("sd1", "whitebox", "YES"), ["line 2", "whitebox", "'YES'"]),
        (("if", "candidates", "manifest"), ["if has the candidates 'manifest'", "'images'"]),
        (("if", "upscaler", ""), ["if has the family 'if'", "no upscaler", "e.g. train"]),
        (("if", "upscaler_revision", "abc"), ["if has the upscaler_revision 'abc'", "empty"]),
        (("if", "source", "a/b"), ["if has the upscaler 'train'", "'a/b'", "a hub id"]),
        (("sd1", "upscaler", "a/b"), ["sd1 has the upscaler 'a/b'", "only family if"]),
        (("sd2", "upscaler_revision", "abc"), ["sd2 has the upscaler_revision 'abc'"]),
        (
            ("if", "family", "images"),
            ["if has the family 'images'", "training cannot be 'distinct'"],
        ),
        (("sd1", "family", "api"), ["source cannot be 'train'", "give the description of its"]),
    ],
    ids=lambda value: "-".join(value)[:30],
)
def test_a_wrong_cell_is_named_with_its_file_row_and_column(sheet, cell, words):
    with pytest.raises(ConfigError) as err:
        read_models(sheet(cell), ROOT)
    for word in ["models.tsv", *words]:
        assert word in str(err.value)


def test_a_sheet_may_say_how_to_save_memory(sheet):
    models = read_models(sheet(("sd1", "memory", "offload")), ROOT)
    assert loading_row(models, "sd1")["memory"] == "offload"
    assert loading_row(models, "sd2")["memory"] == "full"
    with pytest.raises(ConfigError, match=r"line 2: memory is 'less'"):
        read_models(sheet(("sd1", "memory", "less")), ROOT)


def test_a_job_is_told_of_a_second_stage_and_how_it_generates(sheet, config):
    models, sampling = read_models(sheet(), ROOT), config["sampling"]
    assert upscaler_row(models, "sd1", sampling) == {}
    assert upscaler_row(models, "if", sampling) == {
        "source": "train", "revision": "", **sampling["upscaler"]
    }  # fmt: skip
    assert set(sampling["upscaler"]) == {"sampler", "steps", "guidance", "noise_level"}


def test_a_sheet_without_the_columns_of_a_second_stage_has_none(sheet, tmp_path):
    path = sheet()
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table = table[table.family == "sd"].drop(columns=["upscaler", "upscaler_revision"])
    table.to_csv(path, sep="\t", index=False)
    assert read_models(path, ROOT)["upscaler"].tolist() == [""] * 4


def test_a_mistyped_column_is_named_with_its_near_match(sheet):
    path = sheet()
    path.write_text(path.read_text().replace("\trevision\t", "\trevison\t"))
    with pytest.raises(ConfigError, match=r"models\.tsv.*\['revision'\]"):
        read_models(path, ROOT)
    path.write_text(path.read_text().replace("\trevison\t", "\trevision\t").replace("\n", "\tx\n"))
    with pytest.raises(ConfigError, match=r"models\.tsv, line 2: 'x' is no known key"):
        read_models(path, ROOT)


def test_a_missing_sheet_and_one_with_commas_are_named(tmp_path, sheet):
    with pytest.raises(
        ConfigError, match=r"none\.tsv: no such file\. It is the models sheet \(`models`"
    ):
        read_models(tmp_path / "none.tsv", ROOT)
    path = sheet()
    columns = len(path.read_text().splitlines()[0].split("\t"))
    path.write_text(path.read_text().replace("\t", ","))  # a cell of line 5 has one of its own
    with pytest.raises(
        ConfigError,
        match=rf"line 5: {columns + 1} cells .* the header has {columns} .* comma-separated",
    ):
        read_models(path, ROOT)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", "SD #2"),
        ("source", "/data/models#1/sd"),
        ("source", "/data/models #1"),
        ("reference", "SD V1#"),
    ],
)
def test_a_number_sign_in_a_cell_is_part_of_the_cell(sheet, column, value):
    path = sheet(("sd1", column, value), ("sd1", "training", "all"))
    if column == "source":
        path = sheet(("sd1", "source", value), ("sd1", "training", ""))
    path.write_text("# a comment\n" + path.read_text() + "#sd9\tleft out\n")
    models = read_models(path, ROOT)
    assert models.loc["sd1", column] == value
    assert list(models.index) == MODELS


def test_a_wrong_cell_is_named_by_its_line_whatever_is_commented_out_before_it(sheet):
    path = sheet(("sd2", "family", "gan"), ("if", "name", "IF\u200b"))
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join(["# first", lines[0], "#" + lines[1], "", lines[1], lines[2], "# x", *lines[3:]])
    )
    with pytest.raises(ConfigError) as err:
        read_models(path, ROOT)
    assert "models.tsv, line 6: family is 'gan'" in str(err.value)
    assert (
        "models.tsv, line 8: column name: 'IF\\u200b' holds a character that cannot be seen"
        in str(err.value)
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("sep", ["\t", ";", ","])
def test_a_sheet_that_a_spreadsheet_program_saved_is_the_same_sheet(sheet, sep, encoding):
    path = sheet()
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table.to_csv(path, sep=sep, index=False, encoding=encoding, lineterminator="\r\n")
    assert read_models(path, ROOT)[table.columns].equals(table.set_index("model", drop=False))


def test_models_are_selected_in_the_sheets_order_and_unknown_ones_named(sheet):
    models = read_models(sheet(), ROOT)
    assert list(select_models(models, ["if", "sd1"]).index) == ["sd1", "if"]
    assert len(select_models(models, [])) == len(models)
    with pytest.raises(ConfigError, match=r"select_models has \['sd3'\]; rows of the sheet: sd1"):
        select_models(models, ["sd3"])


def test_the_models_behind_a_word_for_candidates():
    assert candidate_models("own") == []
    assert candidate_models("top:sd1") == ["sd1"]
    assert candidate_models("found:sd1,sd2") == ["sd1", "sd2"]


def test_a_closed_system_may_be_drawn_here_and_is_no_network_that_is_trained():
    models = read_models(ROOT / "config/models_train.tsv", ROOT)
    assert models.loc["midjourney", ["family", "source"]].tolist() == ["images", "train"]
    assert trained_models(models) == ["sd1", "sd2", "if", "openjourney", "realisticvision"]
