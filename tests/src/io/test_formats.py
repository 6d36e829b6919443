"""Images as cameras, scanners and web pages write them: each is decoded right, or refused by its name."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from law_examples import examples
from PIL import Image, ImageCms

from verbatim.io.formats import name_format
from verbatim.io.images import ImageError, decode_image, encode_png, resize, to_uint8

RAMP = np.linspace(0, 255, 48 * 64 * 3).astype(np.uint8).reshape(48, 64, 3)
# a corner of each its own: top left red, top right green, bottom left blue, bottom right white
CORNERS = np.zeros((32, 48, 3), np.uint8)
CORNERS[:16, :24], CORNERS[:16, 24:], CORNERS[16:, :24], CORNERS[16:, 24:] = (
    (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255),
)  # fmt: skip


def saved(image: Image.Image, kind: str, **more) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def png(width: int, bits: int, color: int, rows: list[bytes], transparent: bytes = b"") -> bytes:
    """A PNG by the letter of its specification: bit depths and colour types that Pillow reads and does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, len(rows), bits, color, 0, 0, 0)
    return b"".join([
        b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head),
        chunk(b"tRNS", transparent) if transparent else b"",
        chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), chunk(b"IEND", b""),
    ])  # fmt: skip


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_image_that_a_camera_stored_turned_or_mirrored_comes_back_upright(kind, orientation):
    upright = Image.fromarray(CORNERS)
    T = Image.Transpose
    # what a camera that was held so stores: the inverse of what a viewer has to do
    stored = {
        1: None, 2: T.FLIP_LEFT_RIGHT, 3: T.ROTATE_180, 4: T.FLIP_TOP_BOTTOM,
        5: T.TRANSPOSE, 6: T.ROTATE_90, 7: T.TRANSVERSE, 8: T.ROTATE_270,
    }[orientation]  # fmt: skip
    image = upright if stored is None else upright.transpose(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    more = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    got = decode_image(saved(image, kind, exif=exif, **more))
    assert got.shape == (32, 48, 3)
    np.testing.assert_allclose(got, CORNERS / 255, atol=0.02 if kind == "JPEG" else 0)


def test_an_orientation_that_means_nothing_and_broken_exif_leave_the_image_as_it_is():
    image = Image.fromarray(CORNERS)
    exif = Image.Exif()
    exif[0x0112] = 77
    for extra in (exif.tobytes(), b"Exif\0\0" + b"\xff" * 40, b"Exif\0\0"):
        got = decode_image(saved(image, "JPEG", exif=extra, quality=95))
        assert got.shape == (32, 48, 3)
        np.testing.assert_allclose(got[4, 4], [1, 0, 0], atol=0.03)


def test_of_a_cameras_jpeg_with_a_second_image_behind_it_the_first_is_taken():
    second = Image.new("RGB", (16, 12), "black")
    data = saved(Image.fromarray(CORNERS), "MPO", save_all=True, append_images=[second], quality=95)
    assert Image.open(io.BytesIO(data)).n_frames == 2
    got = decode_image(data)
    assert got.shape == (32, 48, 3)
    for y, x in ((4, 4), (4, 40), (28, 4), (28, 40)):
        np.testing.assert_allclose(got[y, x], CORNERS[y, x] / 255, atol=0.03)
    cut = data[: data.rindex(b"\xff\xd8") + 30]  # the second is cut short
    np.testing.assert_array_equal(decode_image(cut), decode_image(data))


def test_16_bit_grey_keeps_its_16_bits_and_its_transparent_value_is_white():
    values = np.linspace(0, 65535, 48 * 64).reshape(48, 64).astype(np.uint16)
    got = decode_image(saved(Image.fromarray(values), "PNG"))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.repeat(values[..., None] / 65535, 3, axis=2), atol=1e-6)
    got = decode_image(saved(Image.fromarray(values), "PNG", transparency=int(values[3, 5])))
    np.testing.assert_array_equal(got[3, 5], [1, 1, 1])
    np.testing.assert_allclose(got[3, 6], values[3, 6] / 65535, atol=1e-6)


@pytest.mark.parametrize(("color", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_16_bit_colour_and_16_bit_grey_with_alpha_are_read_to_a_255th(color, channels):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    if channels != 3:
        values[..., -1] = 65535
    data = png(7, 16, color, [row.astype(">u2").tobytes() for row in values])
    colors = values[..., :3] if channels > 2 else np.repeat(values[..., :1], 3, axis=2)
    np.testing.assert_allclose(decode_image(data), colors / 65535, atol=1.01 / 255)


def test_a_transparent_colour_of_16_bits_is_refused_as_8_bits_cannot_tell_it():
    data = png(1, 16, 2, [b"\x12\x34" * 3], transparent=b"\x12\x34" * 3)
    with pytest.raises(ImageError, match="16-bit colour PNG with a transparent colour; save it"):
        decode_image(data)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_grey_of_few_bits_is_scaled_and_its_transparent_value_is_white(bits):
    most = 2**bits - 1
    levels = [0, most] if bits == 1 else [0, 1, most - 1, most]
    word = 0
    for level in levels:
        word = word << bits | level
    row = (word << (-len(levels) * bits) % 8).to_bytes(-(-len(levels) * bits // 8))
    plain = decode_image(png(len(levels), bits, 0, [row]))[0, :, 0]
    np.testing.assert_allclose(plain, np.array(levels) / most, atol=1e-6)
    seen = decode_image(png(len(levels), bits, 0, [row], transparent=struct.pack(">H", 0)))
    np.testing.assert_allclose(seen[0, :, 0], [1, *(np.array(levels[1:]) / most)], atol=1e-6)


def test_cmyk_is_read_as_adobe_stores_it():
    rng = np.random.default_rng(1)
    inks = np.repeat(np.repeat(rng.integers(0, 256, (2, 3, 4)), 16, 0), 16, 1).astype(np.uint8)
    data = saved(Image.fromarray(inks, "CMYK"), "JPEG", quality=100)
    assert b"Adobe" in data
    light = 1 - inks / 255.0
    np.testing.assert_allclose(decode_image(data), light[..., :3] * light[..., 3:], atol=0.03)


def test_ycck_is_turned_into_cmyk_first():
    rng = np.random.default_rng(2)
    colors = np.repeat(np.repeat(rng.integers(60, 190, (2, 3, 3)), 16, 0), 16, 1).astype(np.uint8)
    ycc = np.asarray(Image.fromarray(colors).convert("YCbCr"))
    black = np.full((*colors.shape[:2], 1), 51, np.uint8)
    # libjpeg writes the four channels as they are (Pillow inverts them); then the marker is told of YCC
    stored = 255 - np.concatenate([ycc, black], axis=2)
    raw = bytearray(saved(Image.fromarray(stored, "CMYK"), "JPEG", quality=100))
    raw[raw.index(b"Adobe") + 11] = 2
    with Image.open(io.BytesIO(bytes(raw))) as told:
        assert told.info["adobe_transform"] == 2
    # YCCK holds the inverted inks' complement: C = 255 - R of the YCC, inverted again by Adobe's convention
    want = (1 - colors / 255.0) * (black / 255.0)
    np.testing.assert_allclose(decode_image(bytes(raw)), want, atol=0.03)


def test_transparency_of_every_kind_is_put_on_white():
    half = np.dstack([np.full((4, 4, 3), 0, np.uint8), np.full((4, 4), 51, np.uint8)])
    want = np.full((4, 4, 3), 0.8)
    for image in (Image.fromarray(half), Image.fromarray(half[..., 2:])):
        np.testing.assert_allclose(decode_image(saved(image, "PNG")), want, atol=1e-6)
    palette = Image.fromarray(RAMP).quantize(8)
    seen = np.asarray(palette)
    alphas = [0, 51, 255, 255, 255, 255, 255, 255]
    got = decode_image(saved(palette, "PNG", transparency=bytes(alphas)))
    colors = np.array(palette.getpalette()[:24]).reshape(8, 3)[seen] / 255
    alpha = np.array(alphas)[seen][..., None] / 255
    np.testing.assert_allclose(got, colors * alpha + 1 - alpha, atol=1.01 / 255)
    color = tuple(int(v) for v in RAMP[2, 3])
    got = decode_image(saved(Image.fromarray(RAMP), "PNG", transparency=color))
    np.testing.assert_array_equal(got[2, 3], [1, 1, 1])
    np.testing.assert_array_equal(got[40, 3], RAMP[40, 3] / np.float32(255))


def test_a_profile_changes_no_value():
    data = {}
    for name in ("sRGB", "XYZ"):
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()
        data[name] = saved(Image.fromarray(RAMP), "PNG", icc_profile=profile)
        np.testing.assert_array_equal(decode_image(data[name]), RAMP / np.float32(255))
    assert data["sRGB"] != data["XYZ"]


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_an_animation_is_refused_with_its_count_of_frames_and_one_frame_is_an_image(kind):
    frames = [Image.new("RGB", (4, 4), (i * 90, 0, 0)) for i in range(3)]
    more = {"save_all": True, "lossless": True}
    data = saved(frames[0], kind, append_images=frames[1:], **more)
    with pytest.raises(ImageError, match="an animation of 3 frames; save one of them as PNG"):
        decode_image(data)
    assert decode_image(saved(frames[1], kind, **more))[0, 0, 0] == np.float32(90) / 255


@pytest.mark.parametrize(
    ("kind", "name"),
    [("AVIF", "AVIF"), ("GIF", "GIF"), ("BMP", "BMP"), ("TIFF", "TIFF"), ("JPEG2000", "JPEG 2000"), ("ICO", "ICO"),
     ("PDF", "PDF")],
)  # fmt: skip
def test_an_image_in_another_format_is_refused_by_its_name_with_the_cure(kind, name):
    data = saved(Image.fromarray(RAMP), kind)
    with pytest.raises(
        ImageError, match=f"^the format is {name}; only JPEG, PNG and WebP are read; conv"
    ):
        decode_image(data)


def test_a_tiff_of_floats_is_refused_by_its_name():
    data = saved(Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)), "TIFF")
    with pytest.raises(ImageError, match="the format is TIFF"):
        decode_image(data)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "a video"),
        (b"\xff\x0a\xfa\x7f\x01", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl ", "JPEG XL"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg">', "SVG"),
        (b"\n<!DOCTYPE html><title>gone", "an HTML page"),
        (b"plain words", ""),
    ],
)
def test_formats_that_nothing_here_writes_are_known_by_their_first_bytes(head, name):
    assert name_format(head + bytes(64)) == name


@pytest.mark.parametrize(("kind", "lost"), [("JPEG", 200), ("PNG", 60), ("WEBP", 60)])
def test_an_image_that_is_cut_short_is_refused(kind, lost):
    data = saved(Image.effect_noise((64, 48), 60).convert("RGB"), kind)
    assert decode_image(data).shape == (48, 64, 3)
    with pytest.raises(ImageError, match="broken image"):
        decode_image(data[:-lost])


def test_what_pillow_warns_of_is_no_noise_in_a_jobs_log():
    frames = {"append_images": [Image.new("RGB", (8, 8))], "save_all": True}
    data = saved(Image.fromarray(CORNERS), "MPO", **frames)
    malformed = data.replace(b"MPF\0II", b"MPF\0XX", 1)
    assert malformed != data
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert decode_image(malformed).shape == (32, 48, 3)
    assert said == []


@examples(60)
@given(st.data())
def test_any_image_survives_png_to_the_bit(data):
    height, width = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    values = data.draw(arrays(np.uint8, (height, width, 3)))
    decoded = decode_image(encode_png(values))
    np.testing.assert_array_equal(to_uint8(decoded), values)
    np.testing.assert_array_equal(decode_image(encode_png(decoded)), decoded)


@examples(60)
@given(st.data())
def test_resampling_stays_in_range_and_keeps_an_even_colour(data):
    sides = st.integers(1, 20)
    height, width, new_height, new_width = data.draw(st.tuples(sides, sides, sides, sides))
    how = data.draw(st.sampled_from(["bicubic", "lanczos"]))
    image = data.draw(arrays(np.float32, (height, width, 3), elements=st.floats(0, 1, width=32)))
    got = resize(image, new_height, new_width, how)
    assert got.shape == (new_height, new_width, 3)
    assert got.dtype == np.float32
    assert 0 <= got.min() <= got.max() <= 1
    even = np.broadcast_to(image[:1, :1], image.shape).copy()
    want = np.broadcast_to(image[:1, :1], got.shape)
    np.testing.assert_allclose(resize(even, new_height, new_width, how), want, atol=2e-6)


@examples(150)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBPVP8 "]),
)
def test_bytes_of_any_kind_are_an_image_or_an_image_error(tail, head):
    try:
        got = decode_image(head + tail)
    except ImageError:
        return
    assert got.shape[2] == 3


@examples(100)
@given(st.data())
def test_an_image_with_damaged_bytes_is_an_image_or_an_image_error(data):
    exif = Image.Exif()
    exif[0x0112] = 6
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "MPO"]))
    more = {"append_images": [Image.new("RGB", (8, 8))], "save_all": True} if kind == "MPO" else {}
    raw = bytearray(saved(Image.fromarray(CORNERS), kind, exif=exif, **more))
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=6)):
        raw[place] = data.draw(st.integers(0, 255))
    try:
        got = decode_image(bytes(raw))
    except ImageError:
        return
    assert got.min() >= 0
    assert got.max() <= 1
