"""Check that fetched bytes are an image: by their first bytes, their size, and by decoding them."""

from __future__ import annotations

import contextlib
import io
import threading
import zlib

from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from verbatim.io.formats import CURE, READ, name_format
from verbatim.io.images import (
    MAX_BYTES,
    MAX_PIXELS,
    MOST_ASPECT,
    UNIDENTIFIED,
    ImageError,
    decode_image,
)

SMALL = 4_000_000  # pixels: 50 MB as floats
# how many are decoded at a time; the largest takes a gigabyte
_SMALL, _LARGE = threading.Semaphore(8), threading.Semaphore(1)


class ContentError(ValueError):
    """What was fetched cannot be used.

    status : wrong_type, too_large or broken.
    """

    def __init__(self, status: str, reason: str):
        super().__init__(reason)
        self.status = status


def unpack(data: bytes, encoding: str, max_bytes: int) -> bytes:
    """What a Content-Encoding hides; at most `max_bytes` of it are ever made.

    Raises ContentError for a bomb, a broken stream, and an encoding that was not asked for and is not gzip.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return data
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise ContentError("wrong_type", f"content encoding {encoding[:40]!r}")
    stream = zlib.decompressobj(47)  # gzip or zlib
    try:
        out = stream.decompress(data, max_bytes + 1)
    except zlib.error as err:
        raise ContentError("broken", f"content encoding {encoding}: {err}") from err
    if len(out) > max_bytes:
        raise ContentError("too_large", f"unpacks to more than {max_bytes} bytes")
    if not stream.eof:
        raise ContentError("broken", f"content encoding {encoding}: cut short")
    return out


def check_image(data: bytes, content_type: str = "") -> None:
    """Raises ContentError if these bytes are no image that can be decoded within the limits of `images`."""
    kind = name_format(data)
    if kind not in READ:
        named = f", sent as {content_type[:60]!r}" if content_type else ""
        if not data:
            raise ContentError("wrong_type", "no bytes")
        what = kind or "no JPEG, PNG or WebP"
        raise ContentError("wrong_type", f"{what}{named}: {data[:12]!r}; {CURE}")
    try:
        with Image.open(io.BytesIO(data), formats=(kind,)) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise ContentError("too_large", f"{width}x{height} pixels, more than {MAX_PIXELS}")
            with _SMALL if width * height <= SMALL else _LARGE:
                _decode(image, data)
    except ContentError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as err:
        # the warning is an error only while another thread decodes
        raise ContentError("too_large", str(err)) from err
    except UnidentifiedImageError as err:
        raise ContentError("broken", UNIDENTIFIED) from err
    except Exception as err:  # Pillow raises many kinds for broken files
        raise ContentError("broken", f"broken image: {err}") from err


def _decode(image: ImageFile, data: bytes) -> None:
    """Raises ContentError where `decode_image` refuses these bytes; image : what they hold, not decoded yet.

    Of a plain image every pixel is decoded and no array is made of them. Whatever is not plain or cannot be decoded is
    for `decode_image` to judge.
    """
    if _is_plain(image, data):
        with contextlib.suppress(Exception):
            image.load()
            if "transparency" not in image.info:
                return
    try:
        decode_image(data)
    except ImageError as err:
        raise ContentError("broken", str(err)) from err


def _is_plain(image: ImageFile, data: bytes) -> bool:
    """Whether nothing but its pixels can make `decode_image` refuse this image."""
    long, short = max(image.size), min(image.size)
    frames = getattr(image, "n_frames", 1)
    return (
        image.mode in ("L", "RGB")
        and "transparency" not in image.info
        and long <= MOST_ASPECT * short
        and (frames == 1 or image.format == "MPO")
        and len(data) <= MAX_BYTES
    )
