"""Parts of a long job: kept when the job is killed, thrown away when they are another job's."""

from __future__ import annotations

import zipfile

import numpy as np
import pandas as pd
import pytest

from verbatim.images import ImageArchive, ImageError, merge_archives, write_archive
from verbatim.parts import Parts, fingerprint


def pictures(*names):
    return [(name, np.full((2, 2, 3), len(name), dtype=np.uint8)) for name in names]


def cost(rows):
    return pd.DataFrame(
        [
            {
                "stage": "s",
                "model": "m",
                "prompts": 2,
                "unet_rows": rows,
                "seconds": 0.5,
                "preset": "p",
            }
        ]
    )


def test_a_restart_finds_what_was_finished_and_the_whole_is_put_together_in_order(tmp_path):
    archive = tmp_path / "images.zip"
    first = Parts(archive, 3, steps=4)
    first.write(0, pictures("a.png"), {"costs": cost(10)})
    first.write(2, pictures("ccc.png"), {"costs": cost(30)})
    again = Parts(archive, 3, steps=4)
    assert again.unfinished() == [1]
    again.write(1, pictures("bb.png"), {"costs": cost(20)})
    again.merge_pictures()
    with ImageArchive(archive) as merged:
        assert merged.names() == ["a.png", "bb.png", "ccc.png"]
    assert again.table("costs")["unet_rows"].tolist() == [10, 20, 30]
    total = again.total_cost(stage="s", model="m", preset="p").iloc[0]
    assert (total["prompts"], total["unet_rows"], total["seconds"]) == (6, 60, 1.5)
    again.clear()
    assert [file.name for file in tmp_path.iterdir()] == ["images.zip"]


@pytest.mark.parametrize("changed", [{"steps": 5}, {"steps": 4, "files": "other"}])
def test_parts_of_other_settings_are_thrown_away(tmp_path, changed):
    Parts(tmp_path / "images.zip", 1, steps=4).write(0, pictures("a.png"), {})
    assert Parts(tmp_path / "images.zip", 1, steps=4).unfinished() == []
    assert Parts(tmp_path / "images.zip", 1, **changed).unfinished() == [0]


def test_parts_of_another_count_are_thrown_away(tmp_path):
    Parts(tmp_path / "images.zip", 2, steps=4).write(0, pictures("a.png"), {})
    assert Parts(tmp_path / "images.zip", 1, steps=4).unfinished() == [0]


def test_no_part_makes_an_empty_archive_and_a_cost_of_nothing(tmp_path):
    parts = Parts(tmp_path / "images.zip", 0)
    parts.merge_pictures()
    with ImageArchive(tmp_path / "images.zip") as merged:
        assert merged.names() == []
    total = parts.total_cost(stage="s", model="m", preset="p").iloc[0]
    assert (total["prompts"], total["unet_rows"]) == (0, 0)


def test_a_fingerprint_changes_with_a_files_content_and_knows_folders_and_hub_ids(tmp_path):
    file = tmp_path / "model" / "config.json"
    file.parent.mkdir()
    file.write_text("one")
    before = fingerprint([file.parent, "org/model"])
    assert fingerprint([file.parent, "org/model"]) == before
    assert fingerprint([file.parent, "org/other"]) != before
    file.write_text("two")
    assert fingerprint([file.parent, "org/model"]) != before


def test_merged_members_are_the_parts_bytes_and_a_member_met_twice_is_refused(tmp_path):
    write_archive(tmp_path / "a.zip", pictures("a.png"))
    write_archive(tmp_path / "b.zip", pictures("b.png"))
    merge_archives(tmp_path / "ab.zip", [tmp_path / "a.zip", tmp_path / "b.zip"])
    with zipfile.ZipFile(tmp_path / "a.zip") as a, zipfile.ZipFile(tmp_path / "ab.zip") as ab:
        assert ab.read("a.png") == a.read("a.png")
    with pytest.raises(ImageError, match=r"a\.png is in another part"):
        merge_archives(tmp_path / "aa.zip", [tmp_path / "a.zip", tmp_path / "a.zip"])


def test_a_damaged_member_is_an_image_error_and_the_others_can_be_read(tmp_path):
    write_archive(tmp_path / "a.zip", pictures("a.png", "b.png"))
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[60] ^= 255  # inside the first picture: its checksum no longer holds
    (tmp_path / "a.zip").write_bytes(data)
    with ImageArchive(tmp_path / "a.zip") as archive:
        with pytest.raises(ImageError, match=r"a\.png is damaged"):
            archive.read("a.png")
        assert archive.read("b.png").shape == (2, 2, 3)
