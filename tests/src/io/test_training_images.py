import gzip
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_inputs import png, write_tar
from PIL import Image

from verbatim.io.archive_members import Members
from verbatim.io.training_images import TrainingImages
from verbatim.metrics.rmse import fit_square


def test_a_image_comes_back_at_its_native_size(tmp_path: Path):
    tar = write_tar(tmp_path / "00000.tar", {"0.txt": b"a caption", "0.png": png(51, (7, 3))})
    with TrainingImages() as reader:
        got = reader.read(str(tar), "0.png")
    assert (got.status, got.reason) == ("ok", "")
    assert got.image.shape == (3, 7, 3)
    np.testing.assert_allclose(got.image, 0.2, atol=1e-6)


def test_a_missing_and_a_broken_image_are_states_and_the_rest_goes_on(tmp_path: Path):
    tar = str(
        write_tar(
            tmp_path / "0.tar",
            {"0.png": png()[:40], "1.png": b"", "2.png": b"GIF89a", "3.png": png()},
        )
    )
    with TrainingImages() as reader:
        states = {name: reader.read(tar, f"{name}.png") for name in range(5)}
        nowhere = reader.read("", "")
    assert [states[i].status for i in range(5)] == ["broken", "broken", "broken", "ok", "missing"]
    assert "0.tar" in states[0].reason
    assert "'0.png'" in states[0].reason
    assert states[0].image is None
    assert nowhere.status == "missing"
    assert "inputs.images" in nowhere.reason


def test_a_strip_is_broken_and_a_banner_beside_it_is_read(tmp_path: Path):
    members = {"0.png": png(size=(60_000, 1)), "1.png": png(size=(60, 4))}
    tar = str(write_tar(tmp_path / "0.tar", members))
    with TrainingImages() as reader:
        strip, banner = reader.read(tar, "0.png"), reader.read(tar, "1.png")
    assert (strip.status, banner.status) == ("broken", "ok")
    assert "60000x1 pixels, a strip of 60000:1" in strip.reason
    assert fit_square(banner.image, 16)["pad"].shape == (16, 16, 3)


def test_a_member_larger_than_the_limit_is_not_read(tmp_path: Path):
    tar = write_tar(tmp_path / "0.tar", {"0.png": png() + b"\0" * 5000})
    with TrainingImages(max_bytes=5000) as reader:
        got = reader.read(str(tar), "0.png")
    assert got.status == "broken"
    assert "more than 5000" in got.reason


def test_a_member_that_claims_a_terabyte_is_not_read(tmp_path: Path):
    info = tarfile.TarInfo("0.png")
    info.size = 2**40
    path = tmp_path / "0.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + png())
    with TrainingImages() as reader:
        got = reader.read(str(path), "0.png")
    assert got.status == "broken"
    assert str(2**40) in got.reason


def test_a_sparse_member_is_refused(tmp_path: Path):
    # old GNU sparse header: no data, one hole up to a size of 50 MB, under the limit of a file's size
    info = tarfile.TarInfo("0.png")
    info.type = tarfile.GNUTYPE_SPARSE
    raw = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    raw[386:398], raw[398:410] = b"00000000000\0", b"00000000000\0"
    raw[483:495] = b"%011o\0" % 50_000_000
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    path = tmp_path / "0.tar"
    path.write_bytes(bytes(raw) + b"\0" * 1024)
    with TrainingImages() as reader:
        got = reader.read(str(path), "0.png")
    assert (got.status, got.reason) == ("broken", f"{path}: '0.png' is not a plain file")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_the_like_are_never_followed(tmp_path: Path, kind):
    (tmp_path / "secret.png").write_bytes(png())
    info = tarfile.TarInfo("0.png")
    info.type, info.linkname = kind, str(tmp_path / "secret.png")
    tar = write_tar(tmp_path / "0.tar", {"0.png": info})
    with TrainingImages() as reader:
        got = reader.read(str(tar), "0.png")
    assert got.status == "broken"
    assert "not a plain file" in got.reason


def test_names_in_an_archive_never_become_paths(tmp_path: Path):
    inside = tmp_path / "a" / "b"
    tar = write_tar(
        inside / "0.tar", {"../../evil.png": png(), "/tmp/evil.png": png(), "0.png": png()}
    )
    with TrainingImages() as reader:
        assert reader.read(str(tar), "../../evil.png").status == "ok"  # only ever a name
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["0.tar", "a", "b"]


def test_a_compressed_archive_is_refused(tmp_path: Path):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        info = tarfile.TarInfo("0.png")
        info.size = len(png())
        tar.addfile(info, io.BytesIO(png()))
    (tmp_path / "0.tar").write_bytes(gzip.compress(raw.getvalue()))
    with TrainingImages() as reader:
        got = reader.read(str(tmp_path / "0.tar"), "0.png")
    assert got.status == "missing"
    assert "the archive is damaged" in got.reason


def test_what_stands_before_the_damage_of_an_archive_can_be_read(tmp_path: Path):
    names = [f"{i}.png" for i in range(3)]
    tar = write_tar(tmp_path / "0.tar", {name: png(i) for i, name in enumerate(names)})
    raw = tar.read_bytes()
    tar.write_bytes(raw[:1024] + b"\xff" * 512 + raw[1536:])  # the second header
    with TrainingImages() as reader:
        states = [reader.read(str(tar), name) for name in names]
    assert [s.status for s in states] == ["ok", "missing", "missing"]
    assert "the archive is damaged" in states[1].reason


def test_a_missing_archive_is_a_state(tmp_path: Path):
    with TrainingImages() as reader:
        got = reader.read(str(tmp_path / "0.tar"), "0.png")
    assert got.status == "missing"
    assert "no such file" in got.reason


def test_no_more_archives_stay_open_than_asked_for(tmp_path: Path):
    tars = [str(write_tar(tmp_path / f"{i}.tar", {"0.png": png(i)})) for i in range(4)]
    with TrainingImages(keep_open=2) as reader:
        for _ in range(2):
            for i, tar in enumerate(tars):
                assert reader.read(tar, "0.png").image.max() == np.float32(i) / np.float32(255)
                assert len(reader._open) <= 2


KEYS = ("000000001", "1", "00000/000000001", "1.0", "000000001.jpg")
LAYOUTS = {
    "as img2dataset writes it": "000000001.jpg",
    "tar cf 00000.tar .": "./000000001.jpg",
    "tar cf 00000.tar 00000": "00000/000000001.jpg",
    "deeper": "./data/00000/000000001.png",
    "capitals": "000000001.JPEG",
    "another suffix": "000000001.webp",
    "no suffix": "000000001",
    "a suffix of nobody's": "000000001.img",
    "without zeros": "1.png",
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("name", LAYOUTS.values(), ids=LAYOUTS)
def test_an_image_is_looked_up_by_its_key_whatever_its_name(tmp_path: Path, name, key):
    beside = {"000000001.txt": b"a caption", "000000001.json": b"{}", "000000002.jpg": png(9)}
    tar = str(write_tar(tmp_path / "0.tar", {"._000000001.jpg": b"junk", **beside, name: png(51)}))
    with TrainingImages() as reader:
        got = reader.read(tar, key)
        assert reader.holds(tar, key)
        assert not reader.holds(tar, "3")
        assert reader.read(tar, "3").reason == f"{tar} has no image '3'"
    assert (got.status, got.reason) == ("ok", "")
    np.testing.assert_allclose(got.image, 0.2, atol=1e-6)


@pytest.mark.skipif(shutil.which("tar") is None, reason="no tar here")
@pytest.mark.parametrize("what", [".", "000000001.jpg", "../00000"])
def test_an_archive_that_tar_itself_wrote_is_read(tmp_path: Path, what):
    folder = tmp_path / "00000"
    folder.mkdir()
    (folder / "000000001.jpg").write_bytes(png(51))
    subprocess.run(["tar", "cPf", "../0.tar", what], cwd=folder, check=True)
    with TrainingImages() as reader:
        assert reader.read(str(tmp_path / "0.tar"), "1").status == "ok"


def test_two_images_of_one_key_are_refused_by_name_and_are_on_the_disk(tmp_path: Path):
    members = {"a/7.png": png(1), "b/007.jpg": png(2), "8.png": png(3)}
    tar = str(write_tar(tmp_path / "0.tar", members))
    with TrainingImages() as reader:
        got = reader.read(tar, "7")
        assert reader.holds(tar, "7")
        assert reader.read(tar, "8").status == "ok"
    assert (got.status, got.image) == ("broken", None)
    assert "'a/7.png' and 'b/007.jpg' are both the image of key '7'; take one" in got.reason


def test_of_a_member_that_was_appended_again_the_last_counts_as_for_tar(tmp_path: Path):
    tar = write_tar(tmp_path / "0.tar", {"7.png": png(0)})
    with tarfile.open(tar, "a") as again:
        info = tarfile.TarInfo("./7.png")
        info.size = len(png(51))
        again.addfile(info, io.BytesIO(png(51)))
    with TrainingImages() as reader:
        np.testing.assert_allclose(reader.read(str(tar), "7").image, 0.2, atol=1e-6)


def test_an_image_in_a_format_that_is_not_read_is_refused_by_its_name(tmp_path: Path):
    out = io.BytesIO()
    Image.new("RGB", (9, 9)).save(out, "AVIF")
    tar = str(write_tar(tmp_path / "0.tar", {"7.avif": out.getvalue(), "8.jpg": out.getvalue()}))
    with TrainingImages() as reader:
        for key in "78":
            got = reader.read(tar, key)
            assert got.status == "broken"
            assert "the format is AVIF; only JPEG, PNG and WebP are read; convert it" in got.reason


@given(
    st.dictionaries(
        st.integers(0, 999),
        st.tuples(
            st.sampled_from(["", "./", "a/", "a/b/"]),
            st.integers(0, 9),
            st.sampled_from([".jpg", ".JPG", ".png", ".webp", ""]),
        ),
        max_size=20,
    )
)
def test_every_key_finds_its_own_member_and_no_other(named):
    members = Members()
    for key, (folder, width, suffix) in named.items():
        members.add(tarfile.TarInfo(f"{folder}{key:0{width}d}{suffix}"))
        members.add(tarfile.TarInfo(f"{folder}{key:0{width}d}.txt"))
    for key in range(1000):
        found = members.find(str(key))
        if key in named:
            folder, width, suffix = named[key]
            assert found.name == f"{folder}{key:0{width}d}{suffix}"
        else:
            assert found is None
