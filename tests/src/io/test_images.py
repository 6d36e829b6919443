"""Pixel conventions: what is read, what is refused, and archives that give back what was put in."""

import io
import re
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from verbatim.io import images
from verbatim.io.images import (
    ImageArchive,
    ImageError,
    MissingImageError,
    decode_image,
    encode_png,
    generation_name,
    merge_archives,
    resize,
    row_name,
    seeds_of_prompts,
    to_uint8,
    write_archive,
)
from verbatim.io.seals import DamagedError


def saved(image: Image.Image, kind: str = "PNG", **more) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def made_image(h=6, w=5) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 256, (h, w, 3))
    return values.astype(np.float32) / 255


SIDES = st.integers(1, 9)
PIXELS = st.tuples(SIDES, SIDES).flatmap(lambda size: arrays(np.uint8, (*size, 3)))


@given(PIXELS)
def test_an_image_survives_png_to_the_bit(pixels):
    image = pixels.astype(np.float32) / 255
    for data in (encode_png(pixels), encode_png(image)):
        got = decode_image(data)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, image)


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_an_image_error_and_nothing_else(data):
    for start in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8 "):
        with pytest.raises(ImageError) as told:
            decode_image(start + data)
        with pytest.raises(ImageError, match=f"^{re.escape(str(told.value))}$"):
            decode_image(
                start + data
            )  # the reason is the same in every run: it names no place in memory


@given(PIXELS, st.data())
def test_a_png_with_changed_bytes_is_an_image_or_an_image_error(pixels, data):
    changed = bytearray(encode_png(pixels))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        got = decode_image(bytes(changed))
    except ImageError:
        return
    assert got.ndim == 3
    assert got.shape[2] == 3
    assert 0 <= got.min() <= got.max() <= 1


@given(st.lists(PIXELS, max_size=4), st.integers(1, 4), st.text(min_size=1, max_size=9))
def test_archives_give_back_what_was_put_in_also_when_merged(images, size, reason):
    members = [(row_name(i), image) for i, image in enumerate(images)]
    members.append((row_name(len(images)), reason))
    with tempfile.TemporaryDirectory() as name:
        parts = []
        for i in range(0, len(members), size):
            parts.append(Path(name) / f"{i}.zip")
            write_archive(parts[-1], members[i : i + size])
        merge_archives(Path(name) / "all.zip", parts)
        with ImageArchive(Path(name) / "all.zip") as archive:
            assert [n for n, _ in archive] == [n for n, _ in members[:-1]]
            for n, image in members[:-1]:
                np.testing.assert_array_equal(to_uint8(archive.read(n)), image)
            with pytest.raises(MissingImageError) as err:
                archive.read(members[-1][0])
    assert str(err.value) == reason


@given(PIXELS, SIDES, SIDES, st.sampled_from(["bicubic", "lanczos"]))
def test_resampling_gives_the_size_asked_for_in_range_and_keeps_a_flat_image_flat(
    pixels, height, width, how
):
    image = pixels.astype(np.float32) / 255
    got = resize(image, height, width, how)
    assert got.shape == (height, width, 3)
    assert 0 <= got.min() <= got.max() <= 1
    flat = np.broadcast_to(image[:1, :1], image.shape).copy()
    np.testing.assert_allclose(
        resize(flat, height, width, how), flat[:1, :1] + np.zeros_like(got), atol=1e-6
    )


@given(st.lists(st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 10**6)), unique=True))
def test_the_seeds_of_prompts_are_read_off_the_names_that_generations_get(keys):
    names = [generation_name(key, seed) for key, seed in keys]
    found = seeds_of_prompts([*names, *map(row_name, range(3))])
    assert [(key, seed) for key in found for seed in found[key]] == sorted(
        keys, key=lambda one: (list(found).index(one[0]), one[1])
    )


def test_a_mask_is_black_and_white():
    mask = np.array([[True, False], [False, True]])
    np.testing.assert_array_equal(decode_image(encode_png(mask))[..., 0], mask.astype(np.float32))


def test_numbers_outside_0_to_1_are_clipped():
    assert to_uint8(np.array([-0.5, 0.5019, 2.0])).tolist() == [0, 128, 255]


def test_what_is_transparent_is_put_on_white():
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (255, 0, 0, 255))
    np.testing.assert_array_equal(decode_image(saved(image))[0], [[1, 1, 1], [1, 0, 0]])
    palette = Image.new("P", (1, 1), 0)
    palette.putpalette([0, 0, 255] * 256)
    np.testing.assert_array_equal(decode_image(saved(palette, transparency=0))[0], [[1, 1, 1]])


def test_grey_and_palette_images_have_three_channels():
    np.testing.assert_allclose(decode_image(saved(Image.new("L", (1, 1), 51)))[0], [[0.2] * 3])
    assert decode_image(saved(Image.new("1", (3, 2), 1))).shape == (2, 3, 3)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_jpeg_and_webp_are_read(kind):
    got = decode_image(saved(Image.new("RGB", (8, 8), (200, 100, 50)), kind, quality=95))
    np.testing.assert_allclose(got.mean((0, 1)), np.array([200, 100, 50]) / 255, atol=0.02)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an image",
        saved(Image.effect_noise((30, 30), 99))[:400],
        saved(Image.new("RGB", (2, 2)), "GIF"),
        saved(Image.new("RGB", (2, 2)), "BMP"),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    ],
    ids=["empty", "text", "cut off", "gif", "bmp", "postscript"],
)
def test_what_is_no_png_jpeg_or_webp_is_an_image_error_and_nothing_else(data):
    with pytest.raises(ImageError, match=r"broken image|the format is"):
        decode_image(data)


def test_an_animation_is_refused():
    frames = [Image.new("RGB", (4, 4), (i * 90, 0, 0)) for i in range(3)]
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    with pytest.raises(ImageError, match="animation"):
        decode_image(data)


def test_a_image_of_too_many_pixels_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 99)
    assert decode_image(saved(Image.new("RGB", (11, 9)))).shape == (9, 11, 3)
    with pytest.raises(ImageError, match="10x10 pixels, more than 99"):
        decode_image(saved(Image.new("RGB", (10, 10))))


def test_a_strip_is_refused_before_it_is_unpacked_and_a_banner_is_not():
    for size in ((60_000, 1), (1, 60_000)):
        data = saved(Image.new("1", size))
        assert len(data) < 500
        with pytest.raises(
            ImageError, match=rf"^{size[0]}x{size[1]} pixels, a strip of 60000:1, more than 20:1"
        ):
            decode_image(data)
    assert decode_image(saved(Image.new("RGB", (60, 4)))).shape == (4, 60, 3)
    assert decode_image(saved(Image.new("RGB", (20, 1)))).shape == (1, 20, 3)


def test_resampling_keeps_floats_between_bytes_and_stays_in_range():
    ramp = np.repeat(np.linspace(0.1, 0.11, 16, dtype=np.float32)[None, :, None], 3, axis=2)
    ramp = np.repeat(ramp, 16, axis=0)
    got = resize(ramp, 8, 8)
    assert len(np.unique(got[..., 0])) > 4  # bytes would leave three
    sharp = np.zeros((8, 8, 3), np.float32)
    sharp[:, 4:] = 1
    for how in ("bicubic", "lanczos"):
        large = resize(sharp, 20, 12, how)
        assert large.shape == (20, 12, 3)
        assert 0 <= large.min() <= large.max() <= 1
    assert resize(sharp, 8, 8) is sharp


def test_an_archive_gives_images_by_name_in_any_order(tmp_path):
    images = {f"{i}.png": made_image() * (i / 3) for i in range(1, 4)}
    write_archive(tmp_path / "folder" / "a.zip", images.items())
    with ImageArchive(tmp_path / "folder" / "a.zip") as archive:
        assert archive.names() == list(images)
        assert "2.png" in archive
        assert "9.png" not in archive
        for name in reversed(images):
            np.testing.assert_allclose(archive.read(name), images[name], atol=0.5 / 255 + 1e-6)
        assert [name for name, _ in archive] == list(images)
        with pytest.raises(KeyError):
            archive.read("9.png")
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_image_that_was_never_made_is_told_with_its_reason_also_after_a_merge(tmp_path):
    write_archive(tmp_path / "a.zip", [("7_0.png", made_image()), ("7_1.png", "not finite")])
    write_archive(tmp_path / "b.zip", [("8_0.png", "an é in it")])
    merge_archives(tmp_path / "all.zip", [tmp_path / "a.zip", tmp_path / "b.zip"])
    with ImageArchive(tmp_path / "all.zip") as archive:
        assert "7_1.png" not in archive
        for name, reason in (("7_1.png", "not finite"), ("8_0.png", "an é in it")):
            with pytest.raises(MissingImageError, match=f"^{reason}$"):
                archive.read(name)
        with pytest.raises(KeyError):
            archive.read("9_0.png")
        assert [name for name, _ in archive] == ["7_0.png"]
        assert seeds_of_prompts(archive.names()) == {7: [0]}
    with zipfile.ZipFile(tmp_path / "all.zip") as plain:  # for people
        assert plain.read("7_1.missing.txt") == b"not finite"


def test_equal_images_make_equal_archives(tmp_path):
    for name in "ab":
        write_archive(tmp_path / name, [("1.png", made_image())])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_archive_that_fails_half_way_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.zip"
    write_archive(path, [("1.png", made_image())])
    before = path.read_bytes()

    def broken():
        yield "1.png", made_image()
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_archive(path, broken())
    assert path.read_bytes() == before


def test_a_missing_archive_is_named_with_its_cure(tmp_path):
    with pytest.raises(DamagedError, match=r"a\.zip: damaged \(no such file\); run the rule"):
        ImageArchive(tmp_path / "a.zip")


def test_an_archive_cut_at_any_place_is_damaged_and_never_one_with_fewer_images(tmp_path):
    path = tmp_path / "a.zip"
    write_archive(path, [(f"{i}.png", made_image()) for i in range(3)])
    data = path.read_bytes()
    for size in [*range(0, len(data), 37), len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(DamagedError, match=r"a\.zip: damaged .*delete it and run"):
            ImageArchive(path)


def test_an_archive_that_another_program_wrote_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("1.png", encode_png(made_image()))
    with ImageArchive(tmp_path / "a.zip") as archive:
        assert archive.read("1.png").shape == made_image().shape


def test_a_member_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.png", b"0" * 10_000)
    monkeypatch.setattr(images, "MAX_BYTES", 9_999)
    with (
        ImageArchive(tmp_path / "a.zip") as archive,
        pytest.raises(ImageError, match=r"1\.png unpacks to 10000 bytes"),
    ):
        archive.read("1.png")


def test_member_names_are_made_of_keys():
    assert generation_name(12, 3) == "12_3.png"
    assert row_name(7) == "7.png"
