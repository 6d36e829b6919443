from pathlib import Path

import pytest
from made_inputs import random_units, write_shard

from verbatim.inputs.layouts import InputError, list_archives, list_files, match_files


def test_files_are_matched_by_number_whatever_their_zero_padding(tmp_path: Path):
    for number in (0, 1, 10, 2, 3, 4, 5, 6, 7, 8, 9):
        write_shard(tmp_path, number, random_units(1), ["a"], pads=(1, 4))
    files = list_files(tmp_path)
    assert [f.shard for f in files] == [f"{i:05d}" for i in range(11)]
    assert files[10].embeddings.endswith("img_emb_10.npy")
    assert files[2].metadata.endswith("metadata_0002.parquet")


def test_files_without_a_partner_and_gaps_are_all_named(tmp_path: Path):
    for number in (0, 1, 3, 7):
        array, table = write_shard(tmp_path, number, random_units(1), ["a"])
        if number == 1:
            table.unlink()
        if number == 3:
            array.unlink()
    with pytest.raises(InputError) as error:
        list_files(tmp_path)
    for words in ("img_emb_0001.npy", "metadata_0003.parquet", "shard 2", "shard 4 to 6", "Fetch"):
        assert words in str(error.value)


def test_a_stray_number_of_nine_digits_is_refused_at_once():
    with pytest.raises(InputError, match="shard 1 to 999999998"):
        match_files(
            ["img_emb_0.npy", "img_emb_999999999.npy"],
            ["metadata_0.parquet", "metadata_999999999.parquet"],
        )


def test_one_shard_under_two_names_is_refused():
    with pytest.raises(InputError, match=r"img_emb_1\.npy.*img_emb_0001\.npy.*both shard 1"):
        match_files(["img_emb_1.npy", "img_emb_0001.npy"], ["metadata_1.parquet"])


def test_a_missing_or_empty_folder_is_refused_with_the_config_key(tmp_path: Path):
    with pytest.raises(InputError, match=r"img_emb: no such folder; inputs\.source"):
        list_files(tmp_path / "nowhere")
    (tmp_path / "img_emb").mkdir()
    (tmp_path / "img_emb" / "part-00000.parquet").touch()
    with pytest.raises(InputError, match="no file named like"):
        list_files(tmp_path)


def test_archives_are_listed_in_order_and_nothing_else(tmp_path: Path):
    for name in ("00001.tar", "00000.tar", "00000.parquet", "notes.tar", "00002.tar.part"):
        (tmp_path / name).touch()
    assert [Path(p).name for p in list_archives(tmp_path)] == ["00000.tar", "00001.tar"]
    assert list_archives(tmp_path / "nowhere") == []
