import decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_inputs import png, write_tar

from verbatim.inputs.archives import find_archives, format_ranges, key_ranges, read_ranges
from verbatim.inputs.layouts import InputError
from verbatim.io.missing import MissingError


def archive(folder: Path, name: str, keys: list[str], table: bool, suffix: str = ".png") -> str:
    path = write_tar(folder / f"{name}.tar", {f"{key}{suffix}": png() for key in keys})
    if table:
        pd.DataFrame({"key": keys}).to_parquet(path.with_suffix(".parquet"))
    return str(path)


def find(keys: list, ranges: pd.DataFrame) -> list[tuple[str, str]]:
    archives, members = find_archives(pd.Series(keys, dtype=object), ranges)
    return [(Path(a).name, m) for a, m in zip(archives, members, strict=True)]


@pytest.mark.parametrize("table", [True, False])
def test_a_key_leads_to_its_archive(tmp_path: Path, table):
    archives = [
        archive(tmp_path, f"{i:05d}", [f"{i:05d}{j:04d}" for j in range(3)], table) for i in (0, 1)
    ]
    ranges = key_ranges(archives)
    assert find(["000000002", "000010000", "000020000", None], ranges) == [
        ("00000.tar", "000000002"),
        ("00001.tar", "000010000"),
        ("", ""),
        ("", ""),
    ]


def test_keys_that_do_not_start_with_the_archives_name_are_found_by_its_table(tmp_path: Path):
    archives = [
        archive(tmp_path, "00000", ["000000000", "000000999"], table=True),
        archive(tmp_path, "00001", ["000001000", "000001999"], table=True),
    ]
    assert find(["000001000", "000000999"], key_ranges(archives)) == [
        ("00001.tar", "000001000"),
        ("00000.tar", "000000999"),
    ]


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("text", [True, False])
def test_keys_without_leading_zeros_are_compared_as_numbers(tmp_path: Path, statistics, text):
    archives = []
    for name, keys in (("00000", [9, 10]), ("00001", [98, 99, 100])):
        path = write_tar(tmp_path / f"{name}.tar", {f"{key}.png": png() for key in keys})
        table = pd.DataFrame({"key": [str(key) for key in keys] if text else keys})
        table.to_parquet(path.with_suffix(".parquet"), write_statistics=statistics)
        archives.append(str(path))
    ranges = key_ranges(archives)
    assert ranges["first_key"].tolist() == [9, 98]
    assert find(["10", "100", "11"], ranges) == [
        ("00000.tar", "10"), ("00001.tar", "100"), ("", ""),
    ]  # fmt: skip


KEYS = {
    "large_string": lambda keys: pa.array(keys, pa.large_string()),
    "string_view": lambda keys: pa.array(keys).cast(pa.string_view()),
    "dictionary": lambda keys: pa.array(keys).dictionary_encode(),
    "binary": lambda keys: pa.array([key.encode() for key in keys]),
    "fixed binary": lambda keys: pa.array([key.encode() for key in keys], pa.binary(9)),
    "int64": lambda keys: pa.array([int(key) for key in keys]),
    "uint32": lambda keys: pa.array([int(key) for key in keys], pa.uint32()),
    "double": lambda keys: pa.array([float(key) for key in keys]),
    "decimal": lambda keys: pa.array([decimal.Decimal(key) for key in keys]),
}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_lead_to_their_archive_whatever_type_their_column_has(tmp_path: Path, kind):
    keys = ["000000009", "000000010", "000000099"]
    path = write_tar(tmp_path / "00000.tar", {f"{key}.png": png() for key in keys})
    pq.write_table(pa.table({"key": KEYS[kind](keys)}), path.with_suffix(".parquet"))
    ranges = key_ranges([str(path)])
    assert (ranges["first_key"].item(), ranges["last_key"].item()) == (9, 99)
    assert find(["000000010"], ranges) == [("00000.tar", "000000010")]


def test_a_table_whose_keys_are_no_numbers_is_refused_by_name(tmp_path: Path):
    odd = archive(tmp_path, "00000", ["000000000", "banana"], table=True)
    with pytest.raises(InputError, match=r"00000\.tar: key 'banana'"):
        key_ranges([odd])


def test_no_key_selects_anything_but_a_listed_archive(tmp_path: Path):
    ranges = key_ranges([archive(tmp_path, "00000", ["000000000", "000000009"], table=True)])
    hostile = ["../../etc/passwd", "00000000x", "-1", "٣", "9" * 40, "", "000000000\n", "1e3", " 1"]
    assert find(hostile, ranges) == [("", "")] * len(hostile)


def test_two_archives_that_claim_one_key_are_refused_by_name(tmp_path: Path):
    archives = [
        archive(tmp_path, "00000", ["000000000", "000000005"], table=True),
        archive(tmp_path, "00001", ["000000005"], table=True),
    ]
    with pytest.raises(InputError, match=r"00000\.tar and .*00001\.tar both claim key 5"):
        key_ranges(archives)


def test_an_archive_whose_keys_cannot_be_told_is_refused_by_name(tmp_path: Path):
    odd = archive(tmp_path, "00007", ["banana"], table=False)
    broken = tmp_path / "00008.tar"
    broken.write_bytes(b"no tar at all")
    with pytest.raises(InputError) as error:
        key_ranges([odd, str(broken)])
    assert "2 problems" in str(error.value)
    assert "00007.tar: its first image is 'banana'" in str(error.value)
    assert "00008.tar: cannot be read as a tar" in str(error.value)


def test_a_broken_archive_with_its_table_goes_on(tmp_path: Path):
    archives = [archive(tmp_path, f"{i:05d}", [f"{i:05d}0000"], table=True) for i in (0, 1)]
    Path(archives[0]).write_bytes(b"no tar at all")
    assert find(["000000000", "000010000"], key_ranges(archives)) == [
        ("00000.tar", "000000000"),
        ("00001.tar", "000010000"),
    ]


def test_a_key_is_found_under_a_folder_a_suffix_and_as_a_number_of_any_kind(tmp_path: Path):
    ranges = key_ranges([archive(tmp_path, "00000", ["000000000", "000000009"], table=True)])
    for text in ("00000/000000004", "./000000004", "000000004.jpg", "x/000000004.JPEG", "4", "4.0"):
        ((found, key),) = find([text], ranges)
        assert (found, int(key)) == ("00000.tar", 4), text


@pytest.mark.parametrize("prefix", ["", "./", "00000/"])
def test_an_archive_is_read_off_whatever_its_members_are_called(tmp_path: Path, prefix):
    path = write_tar(tmp_path / "00000.tar", {f"{prefix}0000000{i:02d}.PNG": png() for i in (3, 4)})
    assert find(["000000077"], key_ranges([str(path)])) == [("00000.tar", "000000077")]


def test_an_archive_beside_another_ones_table_is_refused_with_examples_of_both(tmp_path: Path):
    archives = [
        archive(tmp_path, f"{i:05d}", [f"{i:05d}000{j}" for j in (0, 1)], True) for i in (0, 1)
    ]
    (tmp_path / "00001.parquet").rename(tmp_path / "spare")
    (tmp_path / "00000.parquet").rename(tmp_path / "00001.parquet")
    (tmp_path / "spare").rename(tmp_path / "00000.parquet")
    with pytest.raises(InputError) as error:
        key_ranges(archives)
    assert "2 problems" in str(error.value)
    assert (
        "00000.tar: its first images are '000000000.png', '000000001.png', but the keys of 00000.parquet "
        "are 10000 to 10001: they were not written together; bring the table" in str(error.value)
    )


def test_what_stands_first_in_an_archive_and_is_no_image_of_it_does_no_harm(tmp_path: Path):
    """macOS's tar puts its own files first, a user a contact sheet."""
    members = {"._000000003.jpg": png(), "sheet.png": png(), "000000003.jpg": png()}
    path = write_tar(tmp_path / "00000.tar", members)
    pd.DataFrame({"key": ["000000003"]}).to_parquet(path.with_suffix(".parquet"))
    assert find(["000000003"], key_ranges([str(path)])) == [("00000.tar", "000000003")]


def test_when_most_archives_are_broken_the_job_ends_unless_the_user_says_otherwise(tmp_path: Path):
    archives = [archive(tmp_path, f"{i:05d}", [f"{i:05d}0000"], table=True) for i in range(3)]
    for path in archives[1:]:
        Path(path).write_bytes(b"no tar at all")
    with pytest.raises(MissingError, match=r"2 of 3 image archives .*share 0\.5(.|\n)*00001\.tar"):
        key_ranges(archives)
    assert len(key_ranges(archives, most=1)) == 3


def test_ranges_are_the_same_after_a_file(tmp_path: Path):
    ranges = key_ranges([archive(tmp_path, "00000", ["000000000", "000000009"], table=True)])
    for case in (ranges, key_ranges([])):
        (tmp_path / "archives.tsv").write_text(format_ranges(case))
        again = read_ranges(tmp_path / "archives.tsv")
        pd.testing.assert_frame_equal(again, case, check_dtype=False)
        assert find(["000000004"], again) == find(["000000004"], case)
