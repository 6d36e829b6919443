"""Checksums in the files that this project writes, so that a flipped bit is an error and not a wrong number.

| file | where its checksum is | what is checked, and when |
|---|---|---|
| .npy, faiss index | after the last byte, which NumPy and faiss do not read: CRC-32 of each block | what is read |
| .zip, .npz | members: the format's CRC-32; the list of members: the archive's comment | the list when it is opened |
| .parquet | pages: the format's CRC-32; footer: its own key `verbatim.crc32` (see `parquet`) | what is read |
| .csv, .tsv | a hidden file beside it, `.<name>.sha256`, as `sha256sum` writes it | the file when it is read |
| folder of a model | a hidden file in it, `.sha256`, one line for each file | all files when the model is loaded |

A file without a checksum, such as one of another program, is read as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from verbatim.io.atomic import new_file, write_text

BLOCK = 1 << 16  # bytes that share a checksum
_MAGIC = b"verbatim.crc32.1"
_TAIL = struct.Struct(
    "<IQI"
)  # bytes of a block, bytes of the file, CRC-32 of the checksums and the two
_COMMENT = b"verbatim.crc32:"
LIST = ".sha256"
# what zipfile raises for a zip that is cut or has flipped bits
ZIP_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, struct.error,
)  # fmt: skip


class DamagedError(ValueError):
    """A file of ours is damaged; the message names the file and the cure."""

    def __init__(self, path: str | os.PathLike, why: object, cure: str = ""):
        self.path, self.why = Path(path), str(why)
        cure = cure or "delete it and run the same command again: it is made again"
        super().__init__(f"{path}: damaged ({why}); {cure}")


def seal_file(path: str | os.PathLike) -> None:
    """Append the checksums of a file's blocks to it; for formats whose readers ignore what follows the last byte."""
    with open(path, "r+b") as file:
        sums, size = [], 0
        while data := file.read(BLOCK):
            sums.append(zlib.crc32(data))
            size += len(data)
        table = np.array(sums, "<u4").tobytes()
        own = zlib.crc32(table + struct.pack("<IQ", BLOCK, size))
        file.write(table + _TAIL.pack(BLOCK, size, own) + _MAGIC)


class Seal:
    """The checksums of a file's blocks; a block is read and compared once.

    Parameters
    ----------
    path
        A file that `seal_file` has sealed, or any other: then nothing is checked.

    Attributes
    ----------
    size : bytes of the file without its checksums.

    Raises
    ------
    DamagedError
        If the file is shorter or longer than its seal says, or the seal itself is damaged.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._sums: np.ndarray | None = None
        with open(self.path, "rb") as file:
            whole = self.size = file.seek(0, os.SEEK_END)
            length = _TAIL.size + len(_MAGIC)
            file.seek(max(0, whole - length))
            tail = file.read(length)
            if not tail.endswith(_MAGIC) or len(tail) < length:
                return
            block, size, own = _TAIL.unpack(tail[: _TAIL.size])
            n = -(-size // block) if block else 0
            if size + 4 * n + length != whole:
                raise DamagedError(
                    self.path, f"{whole} bytes, its seal says {size} and {n} checksums"
                )
            file.seek(size)
            table = file.read(4 * n)
        if zlib.crc32(table + tail[:12]) != own:
            raise DamagedError(self.path, "its checksums are damaged themselves")
        self.size, self._block = size, block
        self._sums = np.frombuffer(table, "<u4")
        self._seen = np.zeros(n, bool)

    def check(self, start: int = 0, stop: int | None = None) -> None:
        """Compare the blocks that hold the bytes [start, stop); all by default.

        Raises
        ------
        DamagedError
            If a block is not what was written.
        """
        if self._sums is not None:
            stop = self.size if stop is None else stop
            self._compare(np.arange(start // self._block, -(-stop // self._block)))

    def check_pieces(self, starts: np.ndarray, length: int) -> None:
        """Compare the blocks that hold pieces of `length` bytes at `starts` (n,), ascending; raises as `check`."""
        if self._sums is not None and len(starts) and length:
            first, last = starts // self._block, (starts + length - 1) // self._block
            width = int((last - first).max())
            self._compare(
                np.unique(np.minimum(first[:, None] + np.arange(width + 1), last[:, None]))
            )

    def _compare(self, blocks: np.ndarray) -> None:
        assert self._sums is not None
        blocks = blocks[~self._seen[blocks]]
        if len(blocks) == 0:
            return
        with open(self.path, "rb") as file:
            for block in blocks.tolist():
                file.seek(block * self._block)
                data = file.read(min(self._block, self.size - block * self._block))
                if zlib.crc32(data) != int(self._sums[block]):
                    raise DamagedError(
                        self.path, f"bytes from {block * self._block} on have another checksum"
                    )
        self._seen[blocks] = True


def check_file(path: str | os.PathLike) -> None:
    """Compare all of a file with its seal, if it has one; raises as `Seal.check` does."""
    Seal(path).check()


def write_array(path: str | os.PathLike, array: Any) -> None:
    """Write an .npy file without pickle, sealed."""
    with new_file(path) as temporary:
        with open(temporary, "wb") as file:
            np.save(file, array, allow_pickle=False)
        seal_file(temporary)


def read_array(path: str | os.PathLike) -> np.ndarray:
    """Read an .npy file of ours into memory, checked.

    Raises
    ------
    DamagedError
        If it is not what was written, or no array.
    FileNotFoundError
        If it is not there.
    """
    try:
        check_file(path)
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as err:
        raise err if isinstance(err, DamagedError) else DamagedError(path, err) from err


class SealedArray:
    """An .npy file mapped from disk, of which the rows that are asked for are checked.

    Parameters
    ----------
    path
        Of a C-ordered array of one dimension or more.

    Attributes
    ----------
    array : the mapped array, unchecked: for its shape and type.

    Raises
    ------
    DamagedError
        If the file is sealed and damaged.
    OSError, ValueError, EOFError
        If it is not there or no array.
    """

    def __init__(self, path: str | os.PathLike):
        self._seal = Seal(path)
        self.array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        rows = len(self.array) if self.array.ndim else 1
        self._row = self.array.nbytes // rows if rows else 0
        self._start = self._seal.size - self.array.nbytes

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """Rows by number (n,), not negative, or a slice; raises DamagedError."""
        self._seal.check(0, self._start)
        if isinstance(rows, slice):
            low, high, _ = slice(rows.start, rows.stop).indices(len(self.array))
            self._seal.check(
                self._start + low * self._row, self._start + max(low, high) * self._row
            )
        else:
            places = np.unique(np.asarray(rows, dtype=np.int64))
            self._seal.check_pieces(self._start + places * self._row, self._row)
        return self.array[rows]


def seal_zip(path: str | os.PathLike) -> None:
    """Write the checksum of a finished zip's list of members into its comment, which has to be empty."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = _COMMENT + b"00000000"
    with open(path, "r+b") as file:
        file.seek(_directory(path))
        directory = file.read()[:-8]
        file.seek(-8, os.SEEK_END)
        file.write(b"%08x" % zlib.crc32(directory))


def _directory(path: str | os.PathLike) -> int:
    """Where a zip's list of members starts."""
    with zipfile.ZipFile(path) as archive:
        return archive.start_dir


def check_zip(archive: zipfile.ZipFile, path: str | os.PathLike) -> None:
    """Compare the list of members of an open zip with its seal, if it has one; members are checked when read.

    Raises
    ------
    DamagedError
        If the list is not what was written.
    """
    comment = archive.comment
    if not comment:
        return
    with open(path, "rb") as file:
        file.seek(archive.start_dir)
        directory = file.read()
    if comment != _COMMENT + b"%08x" % zlib.crc32(directory[:-8]) or not directory.endswith(
        comment
    ):
        raise DamagedError(path, "its list of members has another checksum")


def write_table_text(path: str | os.PathLike, text: str) -> None:
    """Write a CSV or TSV file, and its checksum beside it."""
    path = Path(path)
    beside = path.with_name(f".{path.name}{LIST}")
    beside.unlink(
        missing_ok=True
    )  # a kill between the two leaves a table without a checksum, not a false one
    write_text(path, text)
    write_text(beside, f"{hashlib.sha256(text.encode('utf-8')).hexdigest()}  {path.name}\n")


def checked(path: str | os.PathLike) -> Path:
    """The path of a CSV or TSV file, compared with the checksum beside it if there is one.

    Raises
    ------
    DamagedError
        If the file is not what was written.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}{LIST}")
    with contextlib.suppress(FileNotFoundError):
        digest = beside.read_bytes().split(b"  ")[0].decode("ascii", "replace")
        with open(path, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise DamagedError(path, f"not the file that {beside.name} was written for")
    return path


def _digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        with open(folder / name, "rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def seal_folder(folder: str | os.PathLike) -> None:
    """Write the SHA-256 of every file under `folder` into it."""
    folder = Path(folder)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != LIST)
    digests = _digests(folder, (p.relative_to(folder).as_posix() for p in files))
    write_text(folder / LIST, "".join(f"{digest}  {name}\n" for name, digest in digests.items()))


def is_sealed(folder: str | os.PathLike) -> bool:
    """Whether a folder has the list that `seal_folder` writes."""
    return (Path(folder) / LIST).is_file()


def check_folder(folder: str | os.PathLike) -> None:
    """Compare every file of a folder with the list in it, if there is one.

    Raises
    ------
    DamagedError
        If a file is missing or is not what was written.
    """
    folder = Path(folder)
    try:
        lines = (folder / LIST).read_bytes().decode("utf-8", "replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    cure = f"delete the folder {folder} and run the same command again: it is made again"
    for name, digest in listed.items():
        if not (folder / name).is_file():
            raise DamagedError(folder / name, f"missing, though {folder / LIST} lists it", cure)
        if _digests(folder, [name])[name] != digest:
            raise DamagedError(folder / name, f"not the file that {folder / LIST} lists", cure)
