"""Image formats: which one bytes are, and what is done to a decoded image before its values are used.

Only JPEG, PNG and WebP are read. Any other format is recognized by its first bytes, so that the message can name
it and say what to do; no decoder ever sees it.
"""

from __future__ import annotations

import numpy as np
from PIL import ExifTags, Image

from verbatim.io.stand_ins import POINTER, name_stand_in

READ = ("PNG", "JPEG", "WEBP")
# suffixes of images
IMAGES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".mpo",
    # not read, and refused by name when their bytes are looked at
    ".avif", ".heic", ".heif", ".jxl", ".gif", ".bmp", ".tif", ".tiff", ".jp2", ".jxr", ".svg",
)  # fmt: skip
CURE = "only JPEG, PNG and WebP are read; convert it to PNG"

# what other formats start with: (bytes, offset, name)
_STARTS: tuple[tuple[bytes, int, str], ...] = (
    (b"GIF87a", 0, "GIF"),
    (b"GIF89a", 0, "GIF"),
    (b"BM", 0, "BMP"),
    (b"II*\0", 0, "TIFF"),
    (b"MM\0*", 0, "TIFF"),
    (b"II+\0", 0, "TIFF"),
    (b"MM\0+", 0, "TIFF"),
    (b"\xff\x0a", 0, "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", 0, "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", 0, "JPEG 2000"),
    (b"\xff\x4f\xff\x51", 0, "JPEG 2000"),
    (b"II\xbc", 0, "JPEG XR"),
    (b"8BPS", 0, "Photoshop"),
    (b"\0\0\1\0", 0, "ICO"),
    (b"qoif", 0, "QOI"),
    (b"%PDF", 0, "PDF"),
    (b"%!PS", 0, "PostScript"),
)
_HEIF_BRANDS = (
    b"heic",
    b"heix",
    b"heim",
    b"heis",
    b"hevc",
    b"hevx",
    b"mif1",
    b"msf1",
)  # ISO 23008-12

# where Pillow keeps it
_EXIF = frozenset(("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"))


def name_format(data: bytes) -> str:
    """The format that these bytes are in, by their content alone, whatever a name or a header says.

    Returns
    -------
    "PNG", "JPEG" or "WEBP" for what is read; another format's name ("AVIF", "HEIC", "JPEG XL", "GIF", "SVG",
    "an HTML page"); "" for anything else.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        brands = data[8:64]  # the major one, and those that it is compatible with
        if b"avif" in brands or b"avis" in brands:
            return "AVIF"
        return "HEIC" if any(brand in brands for brand in _HEIF_BRANDS) else "a video"
    if name_stand_in(data).startswith(POINTER):
        return POINTER
    for start, offset, name in _STARTS:
        if data.startswith(start, offset):
            return name
    head = data[:1024].lower()
    if b"<svg" in head:
        return "SVG"
    return "an HTML page" if b"<html" in head or b"<!doctype html" in head else ""


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation of an open image, 1 to 8; 1 (upright) where there is none or it cannot be read."""
    if _EXIF.isdisjoint(image.info):
        return 1
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow raises many kinds for broken EXIF; the pixels are not touched by it
        return 1
    return value if value in range(1, 9) else 1


def make_upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Values (h, w, 3) as a viewer shows them: turned and mirrored as EXIF's `orientation` (1 to 8) says.

    CIPA DC-008 (EXIF 2.32), tag 0x0112: row 0 of the stored values is the visual top (1, 2), right (6, 7), ...
    """
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)


def to_rgb(image: Image.Image) -> np.ndarray:
    """The values of an open image, float32 (h, w, 3) in [0, 1], with transparency put on white.

    - 16-bit grey keeps its 16 bits; other 16-bit PNGs come from Pillow as their high bytes (an error of
      at most 1/255).
    - CMYK and YCCK are stored inverted, as Adobe does; Pillow and browsers take every such JPEG so.
    - A colour profile (ICC) is not applied: values are as stored, as CLIP's and img2dataset's preprocessing take them.

    Raises
    ------
    ValueError
        For a transparent colour that cannot be told from others at 8 bits.
    """
    if image.mode.startswith("I"):
        return _grey_16(image)
    transparency = image.info.get("transparency")
    if transparency is not None:
        depth = _bits(image)
        if depth == 16:
            raise ValueError(
                "a 16-bit colour PNG with a transparent colour; save it with an alpha channel"
            )
        if image.mode == "L" and isinstance(transparency, int) and depth < 8:
            image.load()  # Pillow widens the values to 8 bits, not the transparent one
            image.info["transparency"] = transparency * 255 // (2**depth - 1)
    if image.mode in ("RGBA", "LA", "PA") or transparency is not None:
        rgba = image.convert("RGBA")
        opaque = Image.new("RGB", rgba.size, "white")
        opaque.paste(rgba, mask=rgba.getchannel("A"))
    else:
        opaque = image.convert("RGB")
    return np.asarray(opaque, dtype=np.float32) / 255.0


def _bits(image: Image.Image) -> int:
    """Bits of a channel in a PNG that was opened and not yet decoded; 8 for any other."""
    tiles = getattr(image, "tile", None) if image.format == "PNG" else None
    raw = tiles[0].args if tiles else ""
    raw = raw[0] if isinstance(raw, tuple) else raw
    if not isinstance(raw, str):
        return 8
    name, _, bits = raw.partition(";")
    digits = bits.removesuffix("B")
    return int(digits) if digits.isdecimal() else (1 if name == "1" else 8)


def _grey_16(image: Image.Image) -> np.ndarray:
    """16-bit grey as float32 (h, w, 3) in [0, 1]; its transparent value, if it has one, is white."""
    values = np.asarray(image).astype(np.int64)
    grey = values.astype(np.float32) / 65535.0
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 1.0
    return np.repeat(np.clip(grey, 0.0, 1.0)[:, :, None], 3, axis=2)
