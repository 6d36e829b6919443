"""Bundles that somebody made to harm whoever checks them, with ordinary tools: one fault line each, in bounds."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import struct
import zlib

import pytest
from bundles import (
    FAULTY,
    also,
    change_finding,
    change_run,
    line,
    put,
    read_files,
    seal,
    verify,
    write,
)
from evidence_rules import build_bundle
from made_evidence import IDS
from PIL import Image

from verbatim.evidence.bundle_manifest import NAME

MV = f"findings/{IDS[0]}/finding.json"
HERE = f"findings/{IDS[0]}"


@pytest.fixture(scope="module")
def bundle(verified):
    return build_bundle(verified)


@pytest.fixture(scope="module")
def files(bundle):
    return read_files(bundle)


@pytest.fixture(scope="module")
def head(bundle):
    return bundle.with_name(bundle.name + ".head").read_text().strip()


def copy(bundle, tmp_path):
    folder = shutil.copytree(bundle, tmp_path / "all")
    shutil.copy(bundle.with_name("all.head"), tmp_path / "all.head")
    return folder


def hostile_pipe(folder):
    os.mkfifo(folder / "findings" / "pipe")
    return "is a pipe"


def hostile_pipe_for_an_image(folder):
    path = folder / HERE / "source_0.png"
    path.unlink()
    os.mkfifo(path)
    return "is a pipe"


def hostile_pipe_for_the_manifest(folder):
    (folder / NAME).unlink()
    os.mkfifo(folder / NAME)
    return "is a pipe"


def hostile_pipe_for_the_head(folder):
    head = folder.with_name("all.head")
    head.unlink()
    os.mkfifo(head)
    return "all.head: is a pipe"


def hostile_device(folder):
    (folder / HERE / "source_0.png").unlink()
    (folder / HERE / "source_0.png").symlink_to("/dev/zero")
    return "is a link"


def hostile_link_out(folder):
    data = (folder / HERE / "source_0.png").read_bytes()
    outside = folder.with_name("outside.png")
    outside.write_bytes(data)
    (folder / HERE / "source_0.png").unlink()
    (folder / HERE / "source_0.png").symlink_to(outside)
    return "is a link"


def hostile_folder_link(folder):
    shutil.move(folder / "findings", folder.with_name("elsewhere"))
    (folder / "findings").symlink_to(folder.with_name("elsewhere"))
    return "findings: is a link"


def hostile_link_round(folder):
    (folder / "findings" / "again").symlink_to(folder)
    return "is a link"


def hostile_socket(folder):
    here = os.getcwd()
    os.chdir(folder)  # a socket's path is short
    try:
        socket.socket(socket.AF_UNIX).bind("s")
    finally:
        os.chdir(here)
    return "is a socket"


def hostile_sparse_file(folder):
    with open(folder / "run.json", "wb") as file:
        file.truncate(2**40)
    return "bytes"


def hostile_many_files(folder):
    (folder / "findings" / "1").mkdir()
    for i in range(3000):
        (folder / "findings" / "1" / f"{i}.png").touch()
    return "and 2950 more"


def hostile_depth(folder):
    (folder / "a" / "b" / "c" / "d").mkdir(parents=True)
    return "is a folder"


def hostile_empty_folder(folder):
    (folder / "findings" / "5").mkdir()
    return "is an empty folder"


def hostile_names(folder):
    (folder / "findings" / "\x1b[2J\x1b[31mSOUND\n0 faults\n").write_text("x")
    (folder / os.fsdecode(b"\xff\xfe\x9b2J")).write_text("x")
    (folder / "\u202egnp.exe").write_text("x")
    return r"\x1b[2J\x1b[31mSOUND\n0 faults\n"


@pytest.mark.parametrize("make", [f for n, f in list(globals().items()) if n.startswith("hostile_")])  # fmt: skip
def test_a_hostile_folder_is_one_fault_in_bounded_time_and_memory(bundle, head, tmp_path, make):
    folder = copy(bundle, tmp_path)
    told = make(folder)
    code, text = verify(folder, "--head", head, limit_mb=2000)
    assert code == FAULTY
    assert told in text


def bomb(side):
    """A PNG of side x side white pixels, made by Pillow row by row: kilobytes on the disk."""
    out = io.BytesIO()
    Image.new("L", (side, side), 255).save(out, "PNG", optimize=True)
    return out.getvalue()


def many_chunks(files):
    """A PNG whose text chunk unpacks to a gigabyte."""
    data = files[f"{HERE}/source_0.png"]
    packed = zlib.compressobj(9)
    body = b"Comment\0\0" + b"".join(packed.compress(bytes(10_000_000)) for _ in range(100))
    body += packed.flush()
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body
    chunk += struct.pack(">I", zlib.crc32(b"zTXt" + body))
    return data[:33] + chunk + data[33:]


CONTENT = {
    "a bomb": lambda files: put(f"{HERE}/source_0.png", bomb(20_000))(files),
    "a text bomb": lambda files: put(f"{HERE}/source_0.png", many_chunks(files))(files),
    "a header that lies": lambda files: put(f"{HERE}/source_0.png", files[f"{HERE}/source_0.png"][:16] + b"\xff" * 8 + files[f"{HERE}/source_0.png"][24:])(files),
    "half an image": lambda files: put(f"{HERE}/source_0.png", files[f"{HERE}/source_0.png"][:200])(files),
    "an absolute path": put("/etc/passwd", b"root"),
    "a path out": put("../outside.png", b"x"),
    "a path with an escape": put("findings/\x1b]0;title\x07/finding.json", b"{}"),
    "deep json": put(MV, b"[" * 500_000 + b"]" * 500_000 + b"\n"),
    "large json": put(MV, b'"' + b"a" * 5_000_000 + b'"\n'),
    "keys twice": lambda files: put(MV, files[MV].replace(b'"prompt_id":', b'"prompt_id":1,"prompt_id":', 1))(files),
    "no number": lambda files: put(MV, files[MV].replace(b'"area":', b'"area":NaN,"x":', 1))(files),
    "an endless number": lambda files: put(MV, files[MV].replace(b'"distance":', b'"distance":1e999,"x":', 1))(files),
    "a long number": lambda files: put(MV, files[MV].replace(b'"seed":', b'"seed":' + b"9" * 5000, 1))(files),
    "a list of findings": put(MV, b"[]\n"),
    "an empty file": put(MV, b""),
    "bytes that are no text": put("run.json", b"\xff\xfe\x00\n"),
    "a side of a million": change_run(settings__labels__size=1_000_000),
    "a billion smoothings": change_run(settings__evidence__blur=10**9),
    "a placement of a million": change_finding(MV, verification__side=1e6),
    "a prompt with an escape": change_finding(MV, prompt="\x1b[2J\x1b]0;x\x07", label__caption="\x1b[2J\x1b]0;x\x07"),
    "a label with an escape": change_finding(MV, label__label="\x1b[31m", verification__label="\x1b[31m"),
    "a preset with an escape": also(change_run(settings__labels__preset="\x1b[2J"), change_finding(MV, label__preset="\x1b[2J")),
    "a key with an escape": lambda files: put(MV, line(json.loads(files[MV]) | {"\x1b[2J": 1}))(files),
}  # fmt: skip


BOMBS = ("a bomb", "a text bomb")  # gigabytes are unpacked


@pytest.mark.parametrize(
    "what",
    [pytest.param(one, marks=pytest.mark.slow if one in BOMBS else ()) for one in CONTENT],
)
def test_hostile_content_is_a_fault_in_bounded_time_and_memory(files, tmp_path, what):
    sealed, head = seal(CONTENT[what](files))
    inside = {path: data for path, data in sealed.items() if not path.startswith(("/", ".."))}
    code, text = verify(write(tmp_path / "all", inside, head), "--head", head, limit_mb=2000)
    assert code == FAULTY
    assert "FAULT" in text


def test_a_manifest_may_name_no_file_outside_the_bundle(files, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("mine")
    for path in (str(secret), "../secret.txt", "findings/../../secret.txt"):
        sealed, head = seal(files | {path: b"mine"})
        inside = {name: data for name, data in sealed.items() if name != path}
        folder = write(tmp_path / "all", inside, head)
        code, text = verify(folder, "--head", head)
        assert code == FAULTY
        assert "is listed and not there" in text
        shutil.rmtree(folder)
