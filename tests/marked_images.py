"""Images with a mark that survives any copying and enlarging of pixels and no blurring, and a search for it in files."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from verbatim.io.images import ImageArchive, write_archive

MARK = np.array([255, 0, 254], dtype=np.uint8)
ROW = 4 * MARK.tobytes()  # of an image as bytes; three bytes alone come about by chance


def mark(image: np.ndarray) -> np.ndarray:
    """An image (h, w, 3) in [0, 1], every second row in the mark's colour."""
    marked = np.asarray(image, dtype=np.float32).copy()
    marked[::2] = MARK / np.float32(255)
    return marked


def mark_archive(path: Path) -> None:
    """Mark every image of an archive in place."""
    with ImageArchive(path) as archive:
        images = {name: mark(image) for name, image in archive}
    write_archive(path, images.items())


def _marked_pixels(data: bytes) -> int:
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    return int((np.abs(pixels - MARK).max(axis=2) <= 8).sum())


def _streams(data: bytes) -> Iterator[bytes]:
    """The unpacked streams of a PDF, where its images lie."""
    for packed in re.findall(rb"stream\r?\n(.*?)endstream", data, re.S):
        try:
            yield zlib.decompressobj().decompress(packed)
        except zlib.error:
            yield packed


def _pdf_images(data: bytes) -> Iterator[bytes]:
    """Every RGB image of a PDF as a PNG file, and the palettes of the others.

    Matplotlib stores an image as the packed rows of a PNG; its sizes stand in the object's dictionary.
    """
    for words, packed in re.findall(rb"(<<(?:(?!endobj).)*?/Image(?:(?!endobj).)*?)stream\r?\n(.*?)endstream", data, re.S):  # fmt: skip
        if b"/Indexed" in words:
            yield words
            continue
        if b"/DeviceRGB" not in words:
            continue
        width, height = (
            int(re.search(rb"/%s (\d+)" % key, words)[1]) for key in (b"Width", b"Height")
        )  # type: ignore[index]
        parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", packed), (b"IEND", b"")]  # fmt: skip
        yield b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
            for kind, body in parts
        )


def _texts(table: pa.Table) -> bytes:
    return repr(table.to_pylist()).encode()


def marks_in(path: Path) -> int:
    """How often the mark is found in one file: as pixels of a PNG, or as bytes of anything else."""
    data = path.read_bytes()
    if path.suffix == ".png":
        return _marked_pixels(data)
    if path.suffix == ".pdf":
        return sum(
            _marked_pixels(one) if one.startswith(b"\x89PNG") else one.count(MARK.tobytes())
            for one in _pdf_images(data)
        )
    return data.count(ROW)


def addresses_in(path: Path, address: str) -> int:
    """How often an address is found in one file, in tables too."""
    if path.suffix == ".parquet":
        return _texts(pq.read_table(path)).count(address.encode())
    data = path.read_bytes()
    data += b"".join(_streams(data)) if path.suffix == ".pdf" else b""
    return data.count(address.encode())


def files_under(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]
