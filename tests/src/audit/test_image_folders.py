"""A user's folder in the layouts that people keep, and what is wrong with it."""

from __future__ import annotations

import json
import os
import tarfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from verbatim.audit.image_folders import AuditInputError, count_planned, read_folder
from verbatim.config.folder_state import folder_state
from verbatim.io.user_tables import UserTableError


@pytest.fixture
def folder(tmp_path):
    """Four images, one of them in a subfolder."""
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.jpg", "c.webp", "more/d.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(path)
    return tmp_path / "images"


def told(folder, captions=""):
    return {one.name: one for one in read_folder(folder, captions)}


def write_rows(path, rows):
    frame = pd.DataFrame(rows)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "metadata.parquet"])
def test_an_imagefolder_is_read_whatever_its_metadata_file(folder, name):
    rows = [
        {"file_name": "a.png", "text": "a red apple", "owner": "Ada", "control": "no"},
        {"file_name": "more/d.png", "text": "ein grüner Apfel", "owner": "Bo", "control": "yes"},
    ]
    write_rows(folder / name, rows)
    found = told(folder)
    assert found["a.png"].caption == "a red apple"
    assert found["a.png"].owner == "Ada"
    assert not found["a.png"].control
    assert found["more/d.png"].caption == "ein grüner Apfel"
    assert found["more/d.png"].control
    assert "no caption" in found["b.jpg"].reason


def test_a_metadata_file_of_a_subfolder_names_files_from_there(folder):
    write_rows(folder / "more" / "metadata.csv", [{"file_name": "d.png", "text": "here"}])
    assert told(folder)["more/d.png"].caption == "here"


def test_of_kohyas_sidecars_the_first_line_is_the_caption_and_a_folder_names_its_class(folder):
    (folder / "a.txt").write_text("first\nsecond\n")
    (folder / "b.caption").write_text("of its own suffix\r\n")
    (folder / "b.txt").write_text("not this one")
    os.rename(folder / "more", folder / "10_tabby_cat")
    found = told(folder)
    assert found["a.png"].caption == "first"
    assert found["b.jpg"].caption == "of its own suffix"
    assert found["10_tabby_cat/d.png"].caption == "tabby cat"


def test_a_table_of_captions_goes_before_the_folder_and_finds_a_file_by_its_name_alone(
    folder, tmp_path
):
    (folder / "a.txt").write_text("old")
    table = tmp_path / "captions.csv"
    write_rows(table, [{"file": "a.png", "caption": "new"}, {"file": "d.png", "caption": "deep"}])
    found = told(folder, table)
    assert found["a.png"].caption == "new"
    assert found["more/d.png"].caption == "deep"


def test_a_table_may_name_owners_alone(folder, tmp_path):
    (folder / "a.txt").write_text("a caption")
    table = tmp_path / "owners.csv"
    write_rows(table, [{"file_name": "a.png", "owner": "Ada", "url": "https://example.org/a"}])
    one = told(folder, table)["a.png"]
    assert (one.caption, one.owner, one.url) == ("a caption", "Ada", "https://example.org/a")


def test_img2datasets_archives_are_read_by_their_tables(tmp_path):
    data = tmp_path / "x.png"
    Image.new("RGB", (40, 40)).save(data)
    with tarfile.open(tmp_path / "00000.tar", "w") as tar:
        tar.add(data, "000000000.png")
    data.unlink()
    rows = [
        {"key": "000000000", "caption": "a thing", "status": "success", "url": "https://example.org/1"},
        {"key": "000000001", "caption": "gone", "status": "failed_to_download", "url": "https://example.org/2"},
    ]  # fmt: skip
    write_rows(tmp_path / "00000.parquet", rows)
    (one,) = read_folder(tmp_path)
    assert (one.name, one.member, one.caption) == ("00000.tar!000000000", "000000000", "a thing")
    assert count_planned(tmp_path) >= 1


def test_without_captions_it_is_said_what_to_do(folder):
    with pytest.raises(AuditInputError, match=r"none of its 4 images has a caption.*metadata\.csv"):
        read_folder(folder)


def test_a_folder_that_is_not_there_or_empty_is_named(tmp_path):
    with pytest.raises(AuditInputError, match="no such folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(AuditInputError, match="no images"):
        read_folder(tmp_path)


def test_an_empty_caption_and_a_missing_file_are_recorded_and_the_rest_goes_on(folder):
    rows = [
        {"file_name": "a.png", "text": "  "},
        {"file_name": "b.jpg", "text": "good"},
        {"file_name": "lost.png", "text": "good"},
    ]
    write_rows(folder / "metadata.jsonl", rows)
    found = told(folder)
    assert "empty" in found["a.png"].reason
    assert found["b.jpg"].reason == ""
    assert "no such file" in found["lost.png"].reason


def test_a_long_caption_and_any_script_are_taken_as_they_are(folder):
    long = "word " * 2000
    rows = [
        {"file_name": "a.png", "text": long},
        {"file_name": "b.jpg", "text": "日本の山 🏔 Ελλάδα"},
    ]
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    found = told(folder)
    assert found["a.png"].caption == long.strip()
    assert found["b.jpg"].caption == "日本の山 🏔 Ελλάδα"


def test_a_name_that_leads_out_of_the_folder_opens_nothing(folder, tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "secret.png")
    rows = [{"file_name": "../secret.png", "text": "x"}, {"file_name": "a.png", "text": "y"}]
    write_rows(folder / "metadata.csv", rows)
    found = told(folder)
    assert not [one for one in found.values() if one.path == tmp_path / "secret.png"]
    (reason,) = [one.reason for name, one in found.items() if "secret" in name]
    assert reason.startswith("no such")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"file_name": "a.png", "text": "x", "control": "perhaps"}], "control is 'perhaps'"),
        ([{"file_name": "a.png", "text": "x"}, {"file_name": "a.png", "text": "y"}], "is named by .* too"),
        ([{"text": "x"}], "no column"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_meant_is_refused_with_its_line(folder, rows, words):
    write_rows(folder / "metadata.csv", rows)
    with pytest.raises(UserTableError, match=words) as err:
        read_folder(folder)
    assert "metadata.csv" in str(err.value)


def test_a_changed_file_changes_the_state_of_the_folder(folder):
    before = folder_state(folder)
    assert folder_state(folder) == before
    os.utime(folder / "a.png", (1, 1))
    assert folder_state(folder) != before
