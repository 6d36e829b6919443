"""The one way to write a file or a folder: temporary name, fsync, rename.

A kill or a power cut leaves the old file or the new one, never half of one. The temporary name lies in the same
folder and is hidden: `.<name>~<host>~<pid>~<random>.tmp`. No two processes share one. A process that is killed leaves
its temporary file behind; the next writer of the same file deletes it, and so does the end of a run
(`remove_stale`). Whether its process lives is asked of the process table and of a lock on the file, never of a clock.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

_TEMPORARY = re.compile(
    r"\.(?P<name>.+)~(?P<host>[^~/]*)~(?P<pid>\d+)~[0-9a-f]{16}\.tmp", re.DOTALL
)
_NO_ROOM = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "too large a file",
}
_NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS}
# what libraries say instead of an errno: faiss, safetensors, NumPy's `tofile`
_SAYS_NO_ROOM = re.compile(
    r"No space left|os error 28|File too large|\d+ requested and \d+ written"
)


class WriteError(OSError):
    """A file cannot be written; the message names the file, the reason and the cure."""


def is_temporary(name: str) -> bool:
    """Whether a file or folder has a name that this module gives."""
    return _TEMPORARY.fullmatch(name) is not None


@contextlib.contextmanager
def new_file(path: str | os.PathLike, durable: bool = True) -> Iterator[Path]:
    """Give a temporary name to write to; put the file in place of `path` when the block ends without an error.

    Parameters
    ----------
    path
        Of the file; its folder is made.
    durable
        Wait until the bytes are on the disk (of a file in a `new_folder`: when the folder is put in place). Without,
        a power cut may leave an empty file: only for a file that is
        checked when it is read, and is cheap to make again.

    Raises
    ------
    WriteError
        If there is no room or no right to write. Any other error of the block passes as it is. Nothing is left of
        the file either way.
    """
    path = Path(path)
    durable = durable and not any(map(is_temporary, path.parts))
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_dead(path)
        temporary = _temporary(path)
        held = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            _lock(held)
            yield temporary
            if durable:
                sync(temporary)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        finally:
            os.close(held)
        if durable:
            sync(path.parent)


@contextlib.contextmanager
def new_folder(path: str | os.PathLike, replace: bool = True) -> Iterator[Path]:
    """Give a temporary folder to fill; put it in place of `path` when the block ends without an error.

    Parameters
    ----------
    path
        Of the folder; the one that it lies in is made.
    replace
        Delete a folder that is there already: a kill between the two renames leaves neither at `path`, never a
        mixture. Otherwise the one that is there stays, and the new one is deleted.

    Raises
    ------
    WriteError
        As `new_file` does.
    """
    path = Path(path)
    with scratch_folder(path) as temporary:
        yield temporary
        for folder, _, files in os.walk(temporary):
            for name in files:
                sync(Path(folder, name))
            sync(folder)
        try:
            os.rename(temporary, path)
        except OSError as err:
            if err.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            if replace:
                old = _temporary(path)
                os.rename(path, old)
                os.rename(temporary, path)
                shutil.rmtree(old)
        sync(path.parent)


@contextlib.contextmanager
def scratch_folder(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary folder beside `path`, deleted at the end; so is one that a killed process left.

    Raises
    ------
    WriteError
        As `new_file` does.
    """
    path = Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_dead(path)
        temporary = _temporary(path)
        temporary.mkdir()
        held = os.open(temporary, os.O_RDONLY)
        try:
            _lock(held)
            yield temporary
        finally:
            os.close(held)
            shutil.rmtree(temporary, ignore_errors=True)


def write_bytes(path: str | os.PathLike, data: bytes, durable: bool = True) -> None:
    """Write a file; see `new_file`."""
    with new_file(path, durable) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file in UTF-8; see `new_file`."""
    write_bytes(path, text.encode("utf-8"))


def remove_stale(folder: str | os.PathLike[str]) -> list[str]:
    """Delete what killed processes left anywhere under `folder`, and return its paths.

    A temporary file of another host is deleted if no process holds the lock on it: call this where no other run
    writes to the folder.
    """
    gone = []
    for base, folders, files in os.walk(os.fspath(folder)):
        for name in [*folders, *files]:
            if is_temporary(name) and _remove_if_dead(Path(base, name), any_host=True):
                gone.append(str(Path(base, name)))
        folders[:] = [name for name in folders if not is_temporary(name)]
    return gone


def sync(path: str | os.PathLike) -> None:
    """Wait until a file or a folder is on the disk; a file system that cannot say so is not asked again."""
    held = os.open(path, os.O_RDONLY)
    try:
        os.fsync(held)
    except OSError as err:
        if err.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(held)


def _temporary(path: Path) -> Path:
    host = socket.gethostname().replace("~", "-").replace("/", "-")
    return path.with_name(f".{path.name}~{host}~{os.getpid()}~{secrets.token_hex(8)}.tmp")


def _lock(held: int) -> bool:
    """Take the lock of an open file, without waiting; False if another process has it, or there are no locks."""
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_dead(path: Path) -> None:
    """Delete temporary files of `path` that processes of this host left when they were killed."""
    start = f".{path.name}~"
    for name in os.listdir(path.parent):
        found = _TEMPORARY.fullmatch(name) if name.startswith(start) else None
        if found is not None and found["name"] == path.name:
            _remove_if_dead(path.with_name(name), any_host=False)


def _remove_if_dead(temporary: Path, any_host: bool) -> bool:
    found = _TEMPORARY.fullmatch(temporary.name)
    assert found is not None
    here = found["host"] == socket.gethostname().replace("~", "-").replace("/", "-")
    if (here and _lives(int(found["pid"]))) or not (here or any_host):
        return False
    try:
        held = os.open(temporary, os.O_RDONLY)
    except OSError:  # another process has just deleted it
        return False
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: the process table has answered
        pass
    finally:
        os.close(held)
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        temporary.unlink(missing_ok=True)
    return True


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn a library's way to say that nothing can be written into a `WriteError` that names the file."""
    try:
        yield
    except WriteError:
        raise
    except Exception as err:
        code = err.errno if isinstance(err, OSError) else None
        where = getattr(err, "filename", None)
        if code in _NO_RIGHT and (where is None or str(where).startswith(str(path.parent))):
            raise WriteError(
                code,
                f"{path}: no right to write there ({err}); make the folder writable, or set `results` to another",
            ) from err
        if code in _NO_ROOM or _SAYS_NO_ROOM.search(str(err)):
            why = _NO_ROOM.get(code or errno.ENOSPC, "the disk is full")
            raise WriteError(
                code or errno.ENOSPC,
                f"{path}: cannot be written, {why} ({_free(path.parent)} free); nothing of it was left: "
                "make room and run the same command again",
            ) from err
        raise


def _free(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free / 1e6:.1f} MB"
    except OSError:
        return "an unknown amount"
