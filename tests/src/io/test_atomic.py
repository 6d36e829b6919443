"""A file or folder is the old one or the new one, whatever happens to the process that writes it."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import signal
import time
from pathlib import Path

import pytest
from own_files import KINDS

from verbatim.io import atomic
from verbatim.io.atomic import (
    WriteError,
    new_file,
    new_folder,
    remove_stale,
    scratch_folder,
    write_bytes,
    write_text,
)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_put_in_place_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    for text in ("one", "zwölf\n"):
        write_text(path, text)
        assert path.read_text("utf-8") == text
    assert left(path.parent) == ["a.txt"]


def test_a_file_whose_writing_fails_stays_as_it_was(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(FileNotFoundError, match="nowhere"), new_file(path) as temporary:
        temporary.write_text("half of the n" + Path("nowhere").read_text())
    assert path.read_text() == "old"
    assert left(tmp_path) == ["a.txt"]


def test_two_writers_of_one_file_have_names_of_their_own(tmp_path):
    with new_file(tmp_path / "a") as one, new_file(tmp_path / "a") as two:
        one.write_text("one")
        two.write_text("two")
        assert one != two
    assert (tmp_path / "a").read_text() == "one"  # the last to end
    assert left(tmp_path) == ["a"]


def test_the_bytes_are_on_the_disk_before_the_name_points_to_them(tmp_path, monkeypatch):
    """After a power cut a rename may be there without the bytes, unless they were waited for."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (done.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd))
    )
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append("replace"), replace(a, b)))
    write_bytes(tmp_path / "a", b"1")
    assert done[0].endswith(".tmp")
    assert done[1:] == ["replace", str(tmp_path)]
    done.clear()
    write_bytes(tmp_path / "a", b"1", durable=False)
    assert done == ["replace"]


def test_permissions_are_those_that_any_new_file_gets(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "1")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_folder_replaces_the_one_that_was_there_or_leaves_it(tmp_path):
    path = tmp_path / "model"
    for name in ("a", "b"):
        with new_folder(path) as folder:
            (folder / "sub").mkdir()
            (folder / "sub" / name).write_text("1")
    assert [file.name for file in path.rglob("*")] == ["sub", "b"]
    with new_folder(path, replace=False) as folder:
        (folder / "c").write_text("1")
    assert [file.name for file in path.rglob("*")] == ["sub", "b"]
    with pytest.raises(FileNotFoundError, match="nowhere"), new_folder(path) as folder:
        (folder / "d").write_text(Path("nowhere").read_text())
    assert left(tmp_path) == ["model"]


def hang(folder: Path, say: multiprocessing.connection.Connection) -> None:
    with (
        new_file(folder / "a") as file,
        new_folder(folder / "b") as one,
        scratch_folder(folder / "c.scratch") as two,
    ):
        file.write_text("half")
        (one / "x").write_text("half")
        (two / "x").write_text("half")
        say.send(True)
        time.sleep(600)


@pytest.fixture
def writer(tmp_path):
    """A process that is in the middle of writing a file, a folder and a scratch folder."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=hang, args=(tmp_path, theirs))
    process.start()
    assert ours.recv()
    yield process
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()


def kill(process: multiprocessing.Process) -> None:
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def test_what_a_killed_process_left_goes_when_the_same_file_is_written_again(tmp_path, writer):
    kill(writer)
    assert len(left(tmp_path)) == 3
    write_text(tmp_path / "a", "1")
    with new_folder(tmp_path / "b") as folder:
        (folder / "y").write_text("1")
    with scratch_folder(tmp_path / "c.scratch"):
        pass
    assert left(tmp_path) == ["a", "b"]


def test_what_a_living_process_writes_is_left_to_it(tmp_path, writer):
    write_text(tmp_path / "a", "1")
    assert remove_stale(tmp_path) == []
    assert len(left(tmp_path)) == 4
    kill(writer)
    assert len(remove_stale(tmp_path)) == 3
    assert left(tmp_path) == ["a"]


def test_what_another_host_left_goes_at_the_end_of_a_run_alone(tmp_path, writer, monkeypatch):
    """Its process numbers mean nothing here; the lock on the file tells whether anybody writes it."""
    monkeypatch.setattr(atomic.socket, "gethostname", lambda: "another")
    write_text(tmp_path / "a", "1")
    assert remove_stale(tmp_path) == []
    kill(writer)
    write_text(tmp_path / "a", "1")
    assert len(left(tmp_path)) == 4
    assert len(remove_stale(tmp_path)) == 3


def test_files_that_only_look_alike_are_left(tmp_path):
    names = [
        ".a.tmp",
        "a~host~1~0123456789abcdef.tmp",
        ".a~host~1~0123.tmp",
        ".b~h~x~0123456789abcdef.tmp",
    ]
    for name in names:
        (tmp_path / name).write_text("a user's")
    write_text(tmp_path / "a", "1")
    assert remove_stale(tmp_path) == []
    assert left(tmp_path) == sorted([*names, "a"])


@pytest.fixture
def little_room():
    """No file of this process may grow beyond 100 bytes: what a full disk or a quota does, without one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int = soft) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

    yield limit
    limit()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_without_room_a_file_of_any_kind_is_named_and_nothing_of_it_is_left(
    tmp_path, little_room, kind
):
    made = tmp_path / "made"
    little_room(40)
    with pytest.raises(WriteError, match="make room and run the same command again") as caught:
        kind.write(made)
    little_room()
    assert str(tmp_path / "made") in str(caught.value)
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_size >= 40] == []
    assert [p.name for p in tmp_path.rglob("*") if atomic.is_temporary(p.name)] == []
    kind.write(made)
    assert kind.read(made) is not None


def test_a_folder_that_must_not_be_written_to_is_named_with_the_cure(tmp_path, monkeypatch):
    """By an error of the system's, as tests may run as root, whom nothing is forbidden."""

    def refuse(path: object, *rest: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(atomic.os, "open", refuse)
    with pytest.raises(
        WriteError, match=r"a\.txt: no right to write there .*set `results` to another"
    ):
        write_text(tmp_path / "a.txt", "1")


def test_an_error_of_another_file_is_not_taken_for_one_of_this(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(PermissionError) as caught, new_file(tmp_path / "out" / "a"):
        raise PermissionError(errno.EACCES, "Permission denied", "/elsewhere/input.tar")
    assert not isinstance(caught.value, WriteError)
