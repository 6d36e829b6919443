"""What is refused when it is fetched is what `decode_image` refuses, with its reason."""

import io

import numpy as np
import pytest
from PIL import Image

from verbatim.inputs.contents import ContentError, check_image
from verbatim.io.images import ImageError, decode_image


def saved(mode: str, kind: str, size: tuple[int, int] = (40, 30), **more) -> bytes:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    out = io.BytesIO()
    image.convert(mode).save(out, kind, **more)
    return out.getvalue()


def frames(kind: str) -> bytes:
    out = io.BytesIO()
    images = [Image.new("RGB", (20, 20), (i, 0, 0)) for i in (0, 200)]
    images[0].save(out, kind, save_all=True, append_images=images[1:])
    return out.getvalue()


def sixteen_bits(**more) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40)).save(out, "PNG", **more)
    return out.getvalue()


IMAGES = {
    "jpeg": saved("RGB", "JPEG"), "grey jpeg": saved("L", "JPEG"), "cmyk": saved("CMYK", "JPEG"),
    "progressive": saved("RGB", "JPEG", progressive=True), "png": saved("RGB", "PNG"), "alpha": saved("RGBA", "PNG"),
    "palette": saved("P", "PNG"), "one bit": saved("1", "PNG"), "grey png": saved("L", "PNG"),
    "a transparent colour": saved("RGB", "PNG", transparency=(1, 2, 3)), "webp": saved("RGB", "WEBP"),
    "lossless": saved("RGBA", "WEBP", lossless=True), "16 bits": sixteen_bits(), "strip": saved("RGB", "PNG", (90, 3)),
    "animated png": frames("PNG"), "animated webp": frames("WEBP"), "mpo": frames("MPO"),
}  # fmt: skip


def verdict(check, data: bytes) -> str:
    try:
        check(data)
    except (ContentError, ImageError) as err:
        return str(err)
    return "fine"


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_refused_where_decoding_refuses_it_whole_cut_or_changed(name):
    data = IMAGES[name]
    whole = verdict(decode_image, data)
    assert verdict(check_image, data) == whole
    assert (whole != "fine") == (name in ("strip", "animated png", "animated webp"))
    rng = np.random.default_rng(1)
    for _ in range(15):
        cut = data[: rng.integers(20, len(data))]
        changed = bytearray(data)
        changed[rng.integers(20, len(data))] ^= int(rng.integers(1, 256))
        for harmed in (cut, bytes(changed)):
            assert (verdict(check_image, harmed) == "fine") == (
                verdict(decode_image, harmed) == "fine"
            )
