"""The only place with pixel conventions: RGB, float32 in [0, 1], height x width x 3, resampling.

A stack of images is an array (n, height, width, 3). A file of many images is an uncompressed
zip of PNGs ("archive"): random access by member name, and any file manager opens it.
"""

from __future__ import annotations

import io
import os
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from verbatim.io import formats
from verbatim.io.atomic import new_file
from verbatim.io.seals import ZIP_DAMAGE, DamagedError, check_zip, seal_zip

MAX_PIXELS = 64_000_000  # ASSUME: four times a 16-megapixel photograph; above it an image is refused as a bomb
MAX_BYTES = 100_000_000
MOST_ASPECT = 20  # ASSUME: long side over short one; no image is a longer strip, and a square around it is a bomb
# Pillow's own message names an address in memory, and a table's reason must be the same in every run
UNIDENTIFIED = "broken image: no PNG, JPEG or WebP that can be read"

MISSING = ".missing.txt"  # end of a member's name that says why an image is missing

Seeds = Sequence[int] | Mapping[int, Sequence[int]]  # of every prompt, or prompt_id -> its own


class ImageError(ValueError):
    """An image cannot be used; the message says why in words fit for a table's `reason`."""


class MissingImageError(ImageError):
    """An image was never made, and the archive says why."""


def decode_image(data: bytes) -> np.ndarray:
    """Bytes of a PNG, JPEG or WebP file as float32 (h, w, 3) in [0, 1], upright.

    EXIF's orientation is applied, transparency is put on white, 16-bit grey is scaled (`io.formats`). Of a camera's
    JPEG with further images behind it (MPO) the first is taken. Animations, strips (`MOST_ASPECT`), images that
    are cut short and any other format are refused.

    Raises
    ------
    ImageError
        For whatever cannot be used, and never anything of Pillow's.
    """
    if len(data) > MAX_BYTES:
        raise ImageError(f"{len(data)} bytes, more than {MAX_BYTES}")
    kind = formats.name_format(data)
    if kind and kind not in formats.READ:
        raise ImageError(f"the format is {kind}; {formats.CURE}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of what Pillow mends by itself; sizes are checked below
            with Image.open(io.BytesIO(data), formats=formats.READ) as img:
                if img.width * img.height > MAX_PIXELS:
                    raise ImageError(f"{img.width}x{img.height} pixels, more than {MAX_PIXELS}")
                if (long := max(img.size)) > MOST_ASPECT * (short := min(img.size)):
                    raise ImageError(
                        f"{img.width}x{img.height} pixels, a strip of {long / short:g}:1, "
                        f"more than {MOST_ASPECT}:1"
                    )
                frames = getattr(img, "n_frames", 1)
                if frames > 1 and img.format != "MPO":
                    raise ImageError(f"an animation of {frames} frames; save one of them as PNG")
                values = formats.to_rgb(img)
                orientation = formats.orientation_of(img)  # a PNG may have it behind its pixels
    except ImageError:
        raise
    except UnidentifiedImageError as err:
        raise ImageError(UNIDENTIFIED) from err
    except Exception as err:  # Pillow raises many kinds for broken files
        raise ImageError(f"broken image: {err}") from err
    return values if orientation == 1 else formats.make_upright(values, orientation)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Images (..., h, w, 3) in [0, 1] as uint8, clipped and rounded."""
    return np.rint(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)


def encode_png(image: np.ndarray) -> bytes:
    """One image (h, w, 3) in [0, 1], or uint8, or a mask (h, w) bool, as PNG bytes."""
    if image.dtype == bool:
        image = image.astype(np.uint8) * 255
    elif image.dtype != np.uint8:
        image = to_uint8(image)
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """One image (h, w, 3) in [0, 1] as JPEG bytes, for a page to look at and never to compare. quality : 1 to 95."""
    out = io.BytesIO()
    Image.fromarray(to_uint8(image)).save(out, "JPEG", quality=quality)
    return out.getvalue()


def resize(image: np.ndarray, height: int, width: int, how: str = "bicubic") -> np.ndarray:
    """Resample one image (h, w, 3) in [0, 1] in float, without rounding to bytes between.

    how: "bicubic" (labels, Webster's reference) or "lanczos" (ECS, Webster's reference).
    """
    if image.shape[:2] == (height, width):
        return image
    method = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}[how]
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(image[:, :, c])).resize((width, height), method)
        )
        for c in range(image.shape[2])
    ]
    return np.clip(np.stack(planes, axis=2), 0.0, 1.0).astype(np.float32)


def write_archive(path: str | os.PathLike, members: Iterable[tuple[str, np.ndarray | str]]) -> None:
    """Write images as PNGs into an uncompressed zip, sealed (see `io.seals`); whole or not at all.

    Member names are made by us from keys (`{prompt_id}_{seed}.png`, `{row}.png`), never from data.
    The zip's dates are fixed, so that equal images give equal bytes.

    members : name, and the image, or why there is none: a later reader gets it as `MissingImageError`.
    """
    with new_file(path) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name, image in members:
                if isinstance(image, str):
                    archive.writestr(zipfile.ZipInfo(missing_name(name)), image.encode())
                else:
                    archive.writestr(zipfile.ZipInfo(name), encode_png(image))
        seal_zip(temporary)


def merge_archives(path: str | os.PathLike, parts: Iterable[str | os.PathLike]) -> None:
    """Put the members of several archives into one, byte for byte; whole or not at all.

    Raises ImageError if a part is not an archive, or two hold the same member.
    """
    seen: set[str] = set()
    with new_file(path) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for source in parts:
                with ImageArchive(source) as images:
                    for name in images.names():
                        if name in seen:
                            raise ImageError(
                                f"{source}: {name} is in another part too; delete the parts"
                            )
                        seen.add(name)
                        archive.writestr(zipfile.ZipInfo(name), images.read_bytes(name))
        seal_zip(temporary)


class ImageArchive:
    """Reads a zip of ours by member name; each image float32 (h, w, 3) in [0, 1].

    Damage of a file of ours is never taken for an image that is missing: it ends the job.

    Raises
    ------
    DamagedError
        If it is missing, is no zip, or its list of members is not what was written.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        try:
            self._zip = zipfile.ZipFile(self.path)
            check_zip(self._zip, self.path)
        except FileNotFoundError as err:
            raise DamagedError(path, "no such file", "run the rule that makes it") from err
        except DamagedError:
            raise
        except (*ZIP_DAMAGE, ValueError) as err:
            raise DamagedError(path, f"not a readable archive of images: {err}") from err

    def names(self) -> list[str]:
        return self._zip.namelist()

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def read(self, name: str) -> np.ndarray:
        """An image.

        Raises
        ------
        KeyError
            If there is no such member: the archive was written without it.
        DamagedError
            If its bytes are not those that were written.
        ImageError
            If it was recorded as missing, or was written like this and cannot be used.
        """
        return decode_image(self.read_bytes(name))

    def read_bytes(self, name: str) -> bytes:
        """A member as its file's bytes; raises as `read` does, but for what an image has to be."""
        if name not in self and missing_name(name) in self:
            raise MissingImageError(self.read_bytes(missing_name(name)).decode())
        info = self._zip.getinfo(name)
        if info.file_size > MAX_BYTES:
            raise ImageError(f"{self.path}: {name} unpacks to {info.file_size} bytes")
        try:
            return self._zip.read(info)
        except ZIP_DAMAGE as err:
            raise DamagedError(self.path, f"{name}: {err}") from err

    def check(self) -> None:
        """Read every member; raises DamagedError."""
        for name in self.names():
            self.read_bytes(name)

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        for name in self.names():
            if not name.endswith(MISSING):
                yield name, self.read(name)

    def close(self) -> None:
        self._zip.close()

    def __enter__(self) -> ImageArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def missing_name(name: str) -> str:
    """Member name of the record that an image is missing: a text with the reason."""
    return name.removesuffix(".png") + MISSING


def generation_name(prompt_id: int, seed: int) -> str:
    """Member name of the image that a model made for a prompt and a seed."""
    return f"{prompt_id}_{seed}.png"


def seeds_of_prompts(names: Iterable[str]) -> dict[int, list[int]]:
    """prompt_id -> seeds, rising, of an archive's members; names of another form are left out."""
    seeds: dict[int, list[int]] = {}
    for name in names:
        if found := re.fullmatch(r"(\d+)_(\d+)\.png", name):
            seeds.setdefault(int(found[1]), []).append(int(found[2]))
    return {key: sorted(of_prompt) for key, of_prompt in seeds.items()}


def seeds_of(seeds: Seeds, prompt_id: int) -> Sequence[int]:
    """Seeds of a prompt's generations, of the seeds of every prompt or of prompt_id -> its own."""
    return seeds.get(prompt_id, ()) if isinstance(seeds, Mapping) else seeds


def most_seeds(seeds: Seeds, prompt_ids: Iterable[int]) -> int:
    """How many seeds the prompt of these has that has most, one at least."""
    return max((len(seeds_of(seeds, key)) for key in prompt_ids), default=1) or 1


def one_step_name(prompt_id: int, seed: int, guidance: float, main: float) -> str:
    """Member name of a one-step image; those of another guidance than the `main` one say so."""
    name = generation_name(prompt_id, seed)
    return name if guidance == main else name.replace(".png", f"_{guidance:g}.png")


def row_name(row: int) -> str:
    """Member name of a training image."""
    return f"{row}.png"
