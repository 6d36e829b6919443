from pathlib import Path

import pytest
from made_inputs import random_units, write_shard

from verbatim.inputs.layouts import (
    InputError,
    archive_folder,
    list_archives,
    list_files,
    match_files,
)


def test_files_are_matched_by_number_whatever_their_zero_padding(tmp_path: Path):
    for number in (0, 1, 10, 2, 3, 4, 5, 6, 7, 8, 9):
        write_shard(tmp_path, number, random_units(1), ["a"], pads=(1, 4))
    files = list_files(tmp_path)
    assert list(files.shards) == [f"{i:05d}" for i in range(11)]
    assert files.embeddings[10].endswith("img_emb_10.npy")
    assert files.metadata[2].endswith("metadata_0002.parquet")
    assert not files.by_position


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
    with pytest.raises(InputError, match=r"nowhere: no such folder; inputs\.source"):
        list_files(tmp_path / "nowhere")
    (tmp_path / "img_emb").mkdir()
    (tmp_path / "img_emb" / "part-00000.parquet").touch()
    with pytest.raises(InputError, match=r"holds none of the layouts.*correct inputs\.source"):
        list_files(tmp_path)
    (tmp_path / "img_emb" / "img_emb_0.npy").touch()
    with pytest.raises(InputError, match=r"img_emb has 1 files, but .*metadata_N\.parquet"):
        list_files(tmp_path)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


UUID = "fc82da14-99c9-4ff6-ab6a-ac853ac82819"


@pytest.mark.parametrize("folder", ["", "metadata/"])
@pytest.mark.parametrize(
    "name", [f"part-{{:05d}}-{UUID}-c000.snappy.parquet", "part_{:05d}.parquet"]
)
def test_laions_tables_are_matched_with_the_embeddings_by_position(tmp_path: Path, folder, name):
    touch(tmp_path, *(f"img_emb/img_emb_{i:04d}.npy" for i in range(5)))
    touch(tmp_path, *(folder + name.format(i) for i in (2, 0, 1)))
    files = list_files(tmp_path)
    assert files.by_position
    assert list(files.shards) == [f"{i:05d}" for i in range(5)]
    assert [Path(p).name for p in files.metadata] == [name.format(i) for i in range(3)]
    (tmp_path / (folder + name.format(1))).unlink()
    with pytest.raises(InputError, match="no table of number 1"):
        list_files(tmp_path)


def test_the_embeddings_own_metadata_come_before_laions_tables(tmp_path: Path):
    touch(tmp_path, "img_emb/img_emb_0.npy", "metadata/metadata_0.parquet", "part-00000-a.parquet")
    files = list_files(tmp_path)
    assert [Path(p).name for p in files.metadata] == ["metadata_0.parquet"]
    assert not files.by_position


def test_tables_alone_are_a_source_without_embeddings(tmp_path: Path):
    touch(tmp_path, *(f"part-{i:05d}-{UUID}-c000.snappy.parquet" for i in range(3)))
    files = list_files(tmp_path)
    assert (files.embeddings, files.archives) == ((), ())
    assert list(files.shards) == ["00000", "00001", "00002"]
    assert not files.by_position


@pytest.mark.parametrize("folder", ["", "data/"])
def test_img2dataset_without_embeddings_is_known_by_its_archives(tmp_path: Path, folder):
    touch(tmp_path, *(f"{folder}{i:05d}{end}" for i in range(3) for end in (".tar", ".parquet")))
    files = list_files(tmp_path)
    assert [Path(p).name for p in files.archives] == ["00000.tar", "00001.tar", "00002.tar"]
    assert files.embeddings == ()
    assert archive_folder(tmp_path) == str(tmp_path / folder).rstrip("/")
    (tmp_path / f"{folder}00001.tar").unlink()
    with pytest.raises(InputError, match=r"without their archive: .*00001\.parquet"):
        list_files(tmp_path)


def test_img2dataset_with_embeddings_takes_what_clip_retrieval_wrote(tmp_path: Path):
    touch(
        tmp_path,
        "img_emb/img_emb_0.npy",
        "metadata/metadata_0.parquet",
        "00000.tar",
        "00000.parquet",
    )
    files = list_files(tmp_path)
    assert (files.by_position, files.archives) == (False, ())
    assert files.metadata[0].endswith("metadata_0.parquet")
    assert archive_folder(tmp_path) == str(tmp_path)


def test_a_table_for_each_array_is_its_own_if_they_have_one_numbering(tmp_path: Path):
    touch(
        tmp_path, *(f"img_emb/img_emb_{i}.npy" for i in range(2)), "00000.parquet", "00001.parquet"
    )
    assert not list_files(tmp_path).by_position
    touch(tmp_path, "00002.parquet")
    assert list_files(tmp_path).by_position


def test_embeddings_of_a_missing_shard_are_named_where_tables_are_cut_differently(tmp_path: Path):
    touch(tmp_path, "img_emb/img_emb_0.npy", "img_emb/img_emb_3.npy", "part-0-a.parquet")
    with pytest.raises(InputError, match="no embeddings of shard 1 to 2"):
        list_files(tmp_path)


def test_archives_are_listed_in_order_and_nothing_else(tmp_path: Path):
    for name in ("00001.tar", "00000.tar", "00000.parquet", "notes.tar", "00002.tar.part"):
        (tmp_path / name).touch()
    assert [Path(p).name for p in list_archives(tmp_path)] == ["00000.tar", "00001.tar"]
    assert list_archives(tmp_path / "nowhere") == []


@pytest.mark.parametrize(("name", "form"), [("00000/", "files"), ("00000.tfrecord", "tfrecord")])
def test_img2datasets_formats_without_archives_are_named_with_the_one_that_is_read(
    tmp_path: Path, name, form
):
    """FilesSampleWriter: a folder of a shard's images beside its table; TFRecordSampleWriter: a file."""
    (tmp_path / "00000.parquet").touch()
    path = tmp_path / name
    if name.endswith("/"):
        path.mkdir()
        for suffix in ("jpg", "txt", "json"):
            (path / f"000000000.{suffix}").touch()
    else:
        path.touch()
    with pytest.raises(InputError, match=rf"format '{form}' .*--output_format webdataset"):
        list_files(tmp_path)
