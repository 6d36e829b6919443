"""What is told of the training images nearest to a generation, and what is not told of hidden ones."""

import numpy as np
import pytest
from PIL import Image

from verbatim.evidence.attribution import (
    AttributionError,
    Sources,
    attribute,
    describe,
    draw_attribution,
    list_files,
    read_files,
)
from verbatim.io.keys import prompt_id
from verbatim.io.privacy import Privacy
from verbatim.labels.checking import Checked, Near

SOURCES = Sources(
    rows={row: (f"caption {row}", f"https://images.example/{row}") for row in range(6)},
    licences={1: "CC BY 4.0"},
    clusters={1: 1, 2: 1},
    sizes={1: 40},
)
COPY = Checked(
    {"label": "RV", "source_row": 2, "distance": 0.05, "review_reason": ""},
    [Near(1, 0.04, "whole"), Near(2, 0.05, "whole"), Near(3, 0.3, "center")],
)
NO_COPY = Checked(
    {"label": "N", "source_row": 3, "distance": 0.3, "review_reason": ""}, [Near(3, 0.3, "pad")]
)
SIMILARITY = {1: 0.99, 2: 0.98, 3: 0.5, 4: 0.4, 5: 0.6}


def test_the_image_that_decided_comes_first_and_its_near_duplicates_are_one_entry():
    entry = attribute(COPY, SIMILARITY, SOURCES, Privacy(), most=5)
    assert [one["row"] for one in entry["nearest"]] == [2, 3, 5, 4]
    assert entry["nearest"][0]["near_duplicates"] == 40
    assert (entry["is_copy"], entry["source_row"], entry["distance"]) == (True, 2, 0.05)
    assert "a copy of a training image; nearest: row 2" in describe("x.png", entry)


def test_rows_that_could_not_be_compared_come_last_by_similarity_without_a_distance():
    entry = attribute(NO_COPY, SIMILARITY, SOURCES, Privacy(), most=3)
    assert [(one["row"], one["distance"]) for one in entry["nearest"]] == [
        (3, 0.3),
        (1, None),
        (5, None),
    ]
    assert (entry["is_copy"], entry["source_row"], entry["distance"]) == (False, -1, None)
    assert entry["nearest"][1]["licence"] == "CC BY 4.0"
    assert entry["nearest"][0]["licence"] is None


@pytest.mark.parametrize("level", ["blurred", "none"])
def test_urls_are_left_out_where_images_are_hidden(level):
    hidden = attribute(COPY, SIMILARITY, SOURCES, Privacy(level), most=5)
    assert {one["url"] for one in hidden["nearest"]} == {""}
    only = Privacy(level, frozenset([prompt_id("caption 3")]))
    some = attribute(COPY, SIMILARITY, SOURCES, only, most=5)
    assert [one["url"] != "" for one in some["nearest"]] == [True, False, True, True]
    of_prompt = Privacy(level, frozenset([7]))
    assert {
        one["url"]
        for one in attribute(COPY, SIMILARITY, SOURCES, of_prompt, 5, prompt=7)["nearest"]
    } == {""}


def test_one_file_and_a_folder_are_taken_and_a_broken_file_is_an_entry(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "b.png")
    (tmp_path / "a.jpg").write_bytes(b"no image")
    (tmp_path / "notes.txt").write_text("no image either")
    assert [path.name for path in list_files(str(tmp_path))] == ["a.jpg", "b.png"]
    images, broken = read_files(list_files(str(tmp_path)))
    assert images[str(tmp_path / "b.png")].shape == (20, 30, 3)
    assert broken[str(tmp_path / "a.jpg")]["label"] == "missing"
    assert list_files(str(tmp_path / "b.png")) == [tmp_path / "b.png"]


def test_nothing_named_nothing_there_and_nothing_readable_are_told_with_the_cure(tmp_path):
    for place, words in (
        ("", "is empty"),
        (str(tmp_path / "x"), "is not there"),
        (str(tmp_path), "holds no image"),
    ):
        with pytest.raises(AttributionError, match=f"{words}; .*make attribute IMAGE=file"):
            list_files(place)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(AttributionError, match="none of 1 files"):
        read_files(list_files(str(tmp_path)))


def test_an_image_of_nothing_near_draws_an_empty_sheet():
    sheet = draw_attribution([], [], None, Privacy(), 16)  # type: ignore[arg-type]
    assert sheet.ndim == 3
