"""Folders of images with a manifest, as people keep them: every line ends in a state."""

import numpy as np
import pandas as pd
import pytest

from verbatim.io.images import ImageError, encode_png, seeds_of_prompts
from verbatim.io.records import prompt_id, to_table
from verbatim.labels.closed_system import (
    GenerationsError,
    captions_without_row,
    find_file,
    finish,
    plan_images,
    read_image,
    read_manifest,
    select_prompts,
)

IMAGE = np.full((4, 4, 3), 0.5, dtype=np.float32)


def manifest(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["file", "prompt", "seed", "steps"])


def test_a_csv_from_a_spreadsheet_is_read_by_the_names_of_its_columns(tmp_path):
    path = tmp_path / "manifest.csv"
    text = '\ufeffPrompt ,note,File_Name,Seed\r\n"a ""red"", heart",x,a.png,4294967295\r\nb,,b.png,\r\n'
    path.write_text(text, encoding="utf-8")
    table = read_manifest(path)
    assert table["prompt"].tolist() == ['a "red", heart', "b"]
    assert table["file"].tolist() == ["a.png", "b.png"]
    assert table["seed"].tolist() == ["4294967295", ""]
    assert table["steps"].tolist() == ["", ""]


def test_parquet_is_read_with_its_numbers_and_gaps(tmp_path):
    path = tmp_path / "manifest.parquet"
    frame = {"file": ["a.png", None], "prompt": ["x", "y"], "seed": [3, None], "steps": [50, 20]}
    pd.DataFrame(frame).to_parquet(path)
    table = plan_images(read_manifest(path))
    assert table["given_seed"].tolist() == [3, -1]
    assert table["steps"].tolist() == [50, 20]
    assert table["file"].tolist() == ["a.png", ""]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,seed\na.png,1\n", "no column prompt or caption or text; it has file, seed"),
        ("file,prompt\n", "no rows"),
        ("", "it is empty"),
        ("file,prompt\na,b\nc,d,e,f\n", "line 3: 4 cells .* header has 2"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(tmp_path, text, words):
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(GenerationsError, match=words):
        read_manifest(tmp_path / "manifest.csv")
    with pytest.raises(GenerationsError, match="no such file"):
        read_manifest(tmp_path / "other.csv")


@pytest.mark.parametrize(
    "name",
    [
        "../a.png", "x/../../a.png", "/etc/passwd", "..\\a.png", "C:\\a.png", "C:a.png", "",
        "a\x00.png", "//server/a.png", "file:///etc/passwd", "\\\\server\\a.png", " ", "link/a.png",
    ],
)  # fmt: skip
def test_a_name_never_leads_out_of_the_folder(tmp_path, name):
    folder = tmp_path / "images"
    (folder / "x").mkdir(parents=True)
    (tmp_path / "a.png").write_bytes(encode_png(IMAGE))
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(GenerationsError):
        find_file(folder, name)


@pytest.mark.parametrize("name", ["a.png", "sub/a b.png", "sub\\a b.png", "日本.png", "a..b.png"])
def test_a_name_inside_the_folder_is_found(tmp_path, name):
    path = tmp_path / name.replace("\\", "/")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode_png(IMAGE))
    assert np.abs(read_image(tmp_path, name) - IMAGE).max() < 0.01


def test_a_file_that_is_missing_or_no_image_is_told_apart(tmp_path):
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "folder.png").mkdir()
    for name in ("none.png", "folder.png"):
        with pytest.raises(FileNotFoundError):
            read_image(tmp_path, name)
    with pytest.raises(ImageError, match="broken"):
        read_image(tmp_path, "text.png")


def test_seeds_are_kept_where_each_image_of_a_prompt_has_its_own():
    table = plan_images(
        manifest(
            ("a.png", "own", "7", ""), ("b.png", "own", "3", "25"),
            ("c.png", "grid", "9", ""), ("d.png", "grid", "9", ""),
            ("e.png", "large", "4294967295", ""), ("f.png", "none", "", ""),
            ("g.png", "some", "5", ""), ("h.png", "some", "", ""), ("i.png", "odd", "x", "many"),
            ("j.png", "float", "12.0", "30.0"), ("k.png", "minus", "-4", ""),
        )
    )  # fmt: skip
    assert table["seed"].tolist() == [7, 3, 0, 1, 0, 0, 0, 1, 0, 12, 0]
    assert table["given_seed"].tolist() == [7, 3, 9, 9, 4294967295, -1, 5, -1, -1, 12, -1]
    assert table["steps"].tolist() == [-1, 25, -1, -1, -1, -1, -1, -1, -1, 30, -1]
    assert not table.duplicated(["prompt_id", "seed"]).any()
    to_table("generations", table)


def test_lines_without_a_prompt_and_repeated_lines_are_states_and_take_no_seed():
    table = plan_images(
        manifest(
            ("a.png", "x", "", ""), ("a.png", "x", "", ""), ("a.png", "y", "", ""),
            ("b.png", " ", "", ""), ("b.png", "x", "", ""),
        )
    )  # fmt: skip
    assert table["status"].tolist() == ["", "duplicate", "", "refused", ""]
    assert table["seed"].tolist() == [0, -1, 0, -1, 1]
    assert table["prompt_id"].tolist() == [prompt_id("x")] * 2 + [
        prompt_id("y"),
        -1,
        prompt_id("x"),
    ]


PROMPTS = pd.DataFrame({"prompt_id": [prompt_id("x"), prompt_id("z")], "row": [40, 50]})


def test_all_prompts_of_the_manifest_are_selected_with_their_row_if_they_have_one():
    planned = plan_images(manifest(("a", "y", "", ""), ("b", "x", "", ""), ("c", "y", "", "")))
    table = select_prompts(planned, PROMPTS, {})
    assert table["caption"].tolist() == ["y", "x"]
    assert table["row"].tolist() == [-1, 40]
    assert set(table["why"]) == {"manifest"}
    assert not table["extra"].any()
    to_table("selection", table)


def test_captions_that_dedup_gives_no_row_are_looked_for_in_the_data_once_each():
    planned = plan_images(
        manifest(
            ("a", "y", "", ""), ("b", "x", "", ""), ("c", "y", "", ""), ("d", "", "", ""), ("e", "w", "", "")
        )
    )  # fmt: skip
    absent = pd.DataFrame(
        {"prompt_id": [prompt_id("w")], "row": [-1]}
    )  # asked for, not in the data
    listed = captions_without_row(planned, pd.concat([PROMPTS, absent]))
    assert listed["caption"].tolist() == ["y", "w"]
    assert listed["prompt_id"].tolist() == [prompt_id("y"), prompt_id("w")]
    assert set(listed["url"]) == {""}


def test_a_ranking_keeps_only_those_of_its_prompts_that_the_manifest_has():
    planned = plan_images(manifest(("a", "y", "", ""), ("b", "x", "", ""), ("c", "", "", "")))
    reasons = {"found:sd1": [prompt_id("x"), prompt_id("z")], "found:sd2": [prompt_id("x")]}
    table = select_prompts(planned, PROMPTS, reasons)
    assert table["caption"].tolist() == ["x"]
    assert table["why"].tolist() == ["found:sd1,found:sd2"]
    nothing = select_prompts(planned, PROMPTS, {"top:sd1": []})
    assert nothing.empty
    to_table("selection", nothing)


def test_a_folder_without_one_usable_image_is_an_error_that_counts():
    planned = plan_images(manifest(("a", "x", "", ""), ("b", "x", "", "")))
    read = {0: ("missing", "no such file"), 1: ("broken", "cut off")}
    with pytest.raises(GenerationsError, match=r"'missing': 1.*'broken': 1.*no such file"):
        finish(planned, read)
    table = finish(planned, {0: ("ok", ""), 1: ("broken", "cut off")})
    assert table["status"].tolist() == ["ok", "broken"]


def test_the_seeds_of_an_archive_are_read_from_its_names():
    names = ["5_3.png", "5_0.png", "12_1.png", "readme.txt", "5_0_7.5.png"]
    assert seeds_of_prompts(names) == {5: [0, 3], 12: [1]}
