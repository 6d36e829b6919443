"""The scripts that take the authors' labels in and give ours out, in their layout."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_authors import write_labels
from marked_images import addresses_in, files_under, mark_archive, marks_in

from verbatim.io.authors import AuthorsError, read_labels
from verbatim.io.images import write_archive
from verbatim.io.privacy import PrivacyError
from verbatim.io.records import SCHEMAS, prompt_id, read_table, write_table
from verbatim.io.seals import DamagedError

CAPTIONS = ["a red heart", "a blue heart", "a rug, in red", "nothing of note"]


def blank(kind: str, n: int, **columns):
    frame = SCHEMAS[kind].empty_table().to_pandas().reindex(range(n))
    values = {"int": 0, "float": 0.0, "double": 0.0, "string": "", "bool": False}
    for field in SCHEMAS[kind]:
        frame[field.name] = next(values[word] for word in values if word in str(field.type))
    return frame.assign(**columns)


@pytest.fixture
def rows(tmp_path):
    """Two shards of data with three of the authors' four captions, at rows that are not theirs."""
    captions = ["other", "a red heart", "a red heart", "a blue heart", "other", "a rug, in red"]
    table = blank(
        "rows", 6, row=np.arange(6), caption=captions, status="ok",
        url=[f"https://x.invalid/{i}" for i in (0, 1, 7, 3, 4, 5)],
    )  # fmt: skip
    files = [tmp_path / "rows0", tmp_path / "rows1"]
    write_table(files[0], "rows", table.iloc[:4])
    write_table(files[1], "rows", table.iloc[4:].assign(status=["ok", "bad_caption"]))
    return files


def select(run_script, tmp_path, rows, authors):
    prompts = blank(
        "prompts", 2, prompt_id=[prompt_id("a blue heart"), 5], caption=["a blue heart", "extra"],
        row=[3, -1], extra=[False, True],
    )  # fmt: skip
    write_table(tmp_path / "prompts", "prompts", prompts)
    run_script(
        "labels/select_candidates.py",
        input={"authors": authors, "rows": rows, "prompts": tmp_path / "prompts"},
        output={"selection": tmp_path / "out"},
        params={"candidates": "authors", "found_in": [], "n_prompts": 1},
        wildcards={"model": "tiny"},
    )
    return read_table(tmp_path / "out", "selection").set_index("caption")


def test_the_authors_prompts_are_candidates_at_the_rows_that_our_data_have(
    run_script, tmp_path, rows
):
    out = select(run_script, tmp_path, rows, write_labels(tmp_path / "theirs.parquet"))
    # by caption and address; by caption; not found, as its caption can be no prompt; not there
    assert out["row"].to_dict() == {
        "a red heart": 2, "a blue heart": 3, "a rug, in red": -1, "nothing of note": -1, "extra": -1,
    }  # fmt: skip
    assert out["why"].to_dict() == dict.fromkeys(CAPTIONS, "authors") | {"extra": "extra"}
    assert out.loc["a red heart", "prompt_id"] == prompt_id("a red heart")
    assert not out.loc[CAPTIONS, "extra"].any()


def test_bad_labels_stop_the_selection_by_name_and_leave_nothing(run_script, tmp_path, rows):
    bad = write_labels(tmp_path / "theirs.parquet", overfit_type=["MV", "TV", "?", "N"])
    with pytest.raises(AuthorsError, match=r"theirs\.parquet: row .* overfit_type '\?'"):
        select(run_script, tmp_path, rows, bad)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def finished(tmp_path, rows):
    """Labels of two prompts, a template verbatim and a retrieved one, and their images."""
    labels = blank(
        "labels", 2, prompt_id=[100, 101], caption=["a red heart", "a blue heart"], row=[1, 3],
        label=["TV", "RV"], seed=[2, 0], source_row=[4, 0], mask_file=["100.png", ""], status="ok",
    )  # fmt: skip
    write_table(tmp_path / "labels", "labels", labels)
    rng = np.random.default_rng(0)
    images = [("0.png", rng.random((4, 4, 3))), ("4.png", rng.random((4, 4, 3)))]
    write_archive(tmp_path / "training", images)
    write_archive(tmp_path / "masks", [("100.png", np.eye(4, dtype=bool))])
    return {name: tmp_path / name for name in ("labels", "training", "masks")} | {"rows": rows}


def release(run_script, finished, folder, images="full", only=()):
    run_script(
        "labels/build_release.py",
        input=finished | {"known_prompts": [finished["labels"]]},
        output={"release": folder},
        params={"images": images, "only": list(only)},
        wildcards={"model": "tiny"},
    )


def test_a_release_has_its_tables_and_every_file_that_they_name(run_script, tmp_path, finished):
    folder = tmp_path / "release"
    (folder / "old").mkdir(parents=True)
    release(run_script, finished, folder)
    out = read_labels(folder / "labels.parquet")
    assert out["overfit_type"].tolist() == ["TV", "RV"]
    assert out["retrieved_urls"].tolist() == [["https://x.invalid/4"], ["https://x.invalid/0"]]
    template = pd.read_parquet(folder / "templates/metadata.parquet").iloc[0]
    retrieved = pd.read_parquet(folder / "retrieved/metadata.parquet").iloc[0]
    for file in (template["mask_file"], template["img_file"], retrieved["img_file"]):
        assert (folder / file).read_bytes()[:4] == b"\x89PNG"
    assert not (folder / "old").exists()
    assert not list(folder.parent.glob("*.tmp"))


def test_a_release_that_breaks_off_leaves_no_folder(run_script, tmp_path, finished):
    (tmp_path / "training").write_bytes(b"no archive")
    with pytest.raises(DamagedError):
        release(run_script, finished, tmp_path / "release")
    assert not (tmp_path / "release").exists()


@pytest.mark.parametrize("images", ["blurred", "none"])
def test_a_release_hands_on_no_image_mask_or_address_that_it_may_not(
    run_script, tmp_path, finished, images
):
    mark_archive(finished["training"])
    release(run_script, finished, tmp_path / "full")
    found = files_under(tmp_path / "full")
    assert sum(map(marks_in, found)) > 0  # so the search finds what is handed on
    assert sum(addresses_in(path, "https://x.invalid/") for path in found) > 0
    folder = tmp_path / images
    release(run_script, finished, folder, images)
    for path in files_under(folder):
        assert marks_in(path) == addresses_in(path, "https://x.invalid/") == 0, path
    assert not (folder / "templates/masks").exists()
    template = pd.read_parquet(folder / "templates/metadata.parquet").iloc[0]
    assert template["mask_file"] == ""
    assert (template["img_file"] != "") == (images == "blurred")
    assert read_labels(folder / "labels.parquet")["overfit_type"].tolist() == ["TV", "RV"]


def test_a_release_hides_the_prompts_that_are_named_alone(run_script, tmp_path, finished):
    mark_archive(finished["training"])
    release(run_script, finished, tmp_path / "some", "none", [100])
    assert not (tmp_path / "some/templates/images").exists()
    assert marks_in(tmp_path / "some/retrieved/images/0.png") > 0
    with pytest.raises(PrivacyError, match=r"privacy.only has \[7\]"):
        release(run_script, finished, tmp_path / "wrong", "none", [7])
