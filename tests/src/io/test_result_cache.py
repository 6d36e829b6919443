"""Finished work of a job: found again by prompt, whatever shard it was made in, and never another stamp's."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pandas as pd
import pytest

from verbatim.io.atomic import is_temporary
from verbatim.io.image_store import Images
from verbatim.io.records import RecordError, read_table, write_table
from verbatim.io.result_cache import (
    Kept,
    check_prompts,
    fingerprint,
    merge_costs,
    prune,
    take_shard,
)


def table(*ids):
    return pd.DataFrame({"prompt_id": pd.Series(ids, dtype="int64")})


def write(kept, lot, rows=10):
    """A part whose image of each prompt has as many pixels as its id."""
    images = [(f"{i}_0.png", np.zeros((1, i, 3), np.uint8)) for i in lot["prompt_id"]]
    kept_rows = pd.DataFrame({"prompt_id": lot["prompt_id"], "archive": "x"})
    kept.write(lot, {"s": (rows, 0.5)}, {"archives": kept_rows}, images)


def test_a_restart_finds_what_was_finished_and_outputs_are_in_the_prompts_order(tmp_path):
    prompts = table(5, 3, 9, 7, 1)
    kept = Kept(tmp_path, prompts, steps=4)
    lots = kept.lots(2)
    assert [lot["prompt_id"].tolist() for lot in lots] == [[5, 3], [9, 7], [1]]
    write(kept, lots[1])
    again = Kept(tmp_path, prompts, steps=4)
    assert [lot["prompt_id"].tolist() for lot in again.lots(2)] == [[5, 3], [1]]
    for lot in again.lots(2):
        write(again, lot)
    assert again.table("archives")["prompt_id"].tolist() == [5, 3, 9, 7, 1]
    again.write_archives(tmp_path / "images.parquet")
    with Images(tmp_path / "images.parquet") as images:
        assert images.names() == ["5_0.png", "3_0.png", "9_0.png", "7_0.png", "1_0.png"]
        assert [images.read(name).shape[1] for name in images.names()] == [5, 3, 9, 7, 1]


def test_prompts_are_found_again_in_another_shard_and_beside_new_ones(tmp_path):
    """As when the list grows: what was in one shard is now in two."""
    first = Kept(tmp_path, table(1, 2, 3, 4), steps=4)
    write(first, first.lots(9)[0], rows=40)
    shards = [Kept(tmp_path, table(*ids), steps=4) for ids in ((1, 8, 2), (3, 9, 4, 7))]
    assert [[lot["prompt_id"].tolist() for lot in s.lots(9)] for s in shards] == [[[8]], [[9, 7]]]
    for shard in shards:
        write(shard, shard.lots(9)[0], rows=3)
    costs = [shard.cost("s", "m", "p").iloc[0] for shard in shards]
    assert [cost["unet_rows"] for cost in costs] == [20 + 3, 20 + 3]  # each prompt's share
    assert [cost["prompts"] for cost in costs] == [3, 4]


@pytest.mark.parametrize("changed", [{"steps": 5}, {"steps": 4, "files": "other"}])
def test_parts_of_other_settings_are_not_found(tmp_path, changed):
    kept = Kept(tmp_path, table(1), steps=4)
    write(kept, kept.lots(1)[0])
    assert Kept(tmp_path, table(1), steps=4).lots(1) == []
    assert len(Kept(tmp_path, table(1), **changed).lots(1)) == 1


def make(folder, steps, ids=(1,)):
    """A finished job with these settings; its `archives` table is beside the kept folder, as a stage has it."""
    kept = Kept(folder / "kept", table(*ids), steps=steps)
    for lot in kept.lots(1):
        write(kept, lot)
    return kept


def test_pruning_leaves_the_stamp_used_last_and_what_tables_name(tmp_path):
    old, named, shard, _ = (make(tmp_path, steps) for steps in (1, 2, 3, 4))
    named.write_archives(tmp_path / "images.parquet")
    shard.write_archives(tmp_path / "shards" / "00000.images.parquet")
    assert prune(tmp_path / "kept") == [old.folder.name]
    assert prune(tmp_path / "kept") == []
    for steps in (2, 3, 4):
        assert Kept(tmp_path / "kept", table(1), steps=steps).lots(1) == []


@pytest.mark.parametrize("shift", [-86400, 86400])
def test_a_clock_that_was_set_to_another_day_changes_nothing_that_is_kept(tmp_path, shift):
    make(tmp_path, 1)
    for path in tmp_path.rglob("*"):  # all that is there is from tomorrow, or from yesterday
        then = path.stat().st_mtime + shift
        os.utime(path, (then, then))
    used = make(tmp_path, 2)
    used.write_archives(tmp_path / "images.parquet")
    assert len(prune(tmp_path / "kept")) == 1
    assert Kept(tmp_path / "kept", table(1), steps=2).lots(1) == []
    with Images(tmp_path / "images.parquet") as images:
        assert images.read("1_0.png").shape == (1, 1, 3)


def test_nothing_is_pruned_where_it_is_not_known_what_was_used_last(tmp_path):
    for steps in (1, 2):
        make(tmp_path, steps)
    (tmp_path / "kept" / "in_use").unlink()  # as of an earlier version
    assert prune(tmp_path / "kept") == []


@pytest.mark.parametrize("name", ["prompts.npy", "images.zip", "archives.parquet", "spent.parquet"])
@pytest.mark.parametrize("damage", ["emptied", "cut", "lost"])
def test_a_damaged_part_is_made_anew_with_the_same_tables_and_the_log_says_so(
    tmp_path, caplog, name, damage
):
    kept = make(tmp_path, 4, ids=(5, 3))
    before = kept.table("archives"), kept.table("spent")
    file = kept.folder / hashlib.sha256(np.int64(3).tobytes()).hexdigest()[:16] / name
    if damage == "lost":
        file.unlink()
    else:
        os.truncate(file, 0 if damage == "emptied" else file.stat().st_size - 9)
    again = Kept(tmp_path / "kept", table(5, 3), steps=4)
    assert [lot["prompt_id"].tolist() for lot in again.lots(9)] == [[3]]
    assert f"{file.parent}: damaged ({name}: " in caplog.text
    again = make(tmp_path, 4, ids=(5, 3))
    for was, now in zip(before, (again.table("archives"), again.table("spent")), strict=True):
        pd.testing.assert_frame_equal(was, now)


def test_a_part_of_an_earlier_version_is_read_and_checked_too(tmp_path):
    kept = make(tmp_path, 4, ids=(5, 3))
    for file in kept.folder.glob("*/.sha256"):
        file.unlink()
    assert Kept(tmp_path / "kept", table(5, 3), steps=4).lots(9) == []
    archive = next(kept.folder.glob("*/images.zip"))
    data = bytearray(archive.read_bytes())
    data[60] ^= 1
    archive.write_bytes(data)
    assert len(Kept(tmp_path / "kept", table(5, 3), steps=4).lots(9)) == 1


def test_a_part_that_was_not_finished_is_none(tmp_path):
    kept = Kept(tmp_path, table(1, 2), steps=4)

    def killed():
        yield "1_0.png", np.zeros((1, 1, 3), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.write(table(1, 2), {"s": (1, 1.0)}, images=killed())
    assert len(Kept(tmp_path, table(1, 2), steps=4).lots(2)) == 1
    other = Kept(tmp_path, table(1, 2), steps=4)
    write(kept, table(1, 2))
    write(other, table(1, 2))  # another job made the same meanwhile: no harm
    assert other.table("archives")["prompt_id"].tolist() == [1, 2]
    assert not [path for path in tmp_path.rglob("*") if is_temporary(path.name)]


def test_no_prompt_makes_empty_tables_and_a_cost_of_nothing(tmp_path):
    kept = Kept(tmp_path, table(), steps=4)
    assert kept.lots(3) == []
    assert kept.table("whitebox_seeds").empty
    kept.write_archives(tmp_path / "images.parquet")
    assert read_table(tmp_path / "images.parquet", "archives").empty
    cost = kept.cost("s", "m", "p").iloc[0]
    assert (cost["stage"], cost["prompts"], cost["unet_rows"]) == ("s", 0, 0)


def test_costs_of_shards_add_up_by_stage_and_an_empty_shard_adds_nothing(tmp_path):
    parts = [(1, {"a": (10.0, 1.0), "b": (4.0, 2.0)}), (2, {"a": (5.0, 1.0), "b": (2.0, 1.0)})]
    for i, spent in parts:
        kept = Kept(tmp_path / "kept", table(i), steps=4)
        kept.write(table(i), spent)
        write_table(tmp_path / f"{i}.parquet", "costs", kept.cost("a", "m", "p"))
    empty = Kept(tmp_path / "kept", table(), steps=4)
    write_table(tmp_path / "3.parquet", "costs", empty.cost("a", "m", "p"))
    total = merge_costs([tmp_path / f"{i}.parquet" for i in (1, 2, 3)]).set_index("stage")
    assert total.loc["a", ["prompts", "unet_rows", "seconds"]].tolist() == [2, 15, 2.0]
    assert total.loc["b", ["prompts", "unet_rows", "seconds"]].tolist() == [2, 6, 3.0]


def test_shards_are_cuts_of_a_fixed_number_of_rows_and_the_last_takes_the_rest():
    prompts = table(*range(10))
    cut = [take_shard(prompts, f"{i:05d}", 4, i == 1)["prompt_id"].tolist() for i in range(2)]
    assert cut == [[0, 1, 2, 3], [4, 5, 6, 7, 8, 9]]
    assert take_shard(prompts, "00003", 4, False).empty


def test_prompts_that_shards_lack_or_have_twice_are_named():
    check_prompts([3, 1, 2], [1, 2, 3], "selection", "scores")
    with pytest.raises(
        RecordError, match=r"scores: prompt_id 3 \(1 in all\) is only in one of sel"
    ):
        check_prompts([1, 2], [1, 2, 3], "selection", "scores")
    with pytest.raises(RecordError, match=r"prompt_id 2 \(1 in all\) is in two shards"):
        check_prompts([1, 2, 2, 3], [1, 2, 3], "selection", "scores")


def test_a_fingerprint_changes_with_a_files_content_and_knows_folders_and_hub_ids(tmp_path):
    file = tmp_path / "model" / "config.json"
    file.parent.mkdir()
    file.write_text("one")
    before = fingerprint([file.parent, "org/model"])
    assert fingerprint([file.parent, "org/model"]) == before
    assert fingerprint([file.parent, "org/other"]) != before
    file.write_text("two")
    assert fingerprint([file.parent, "org/model"]) != before
