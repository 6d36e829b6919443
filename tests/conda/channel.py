"""A local conda channel made of what pip installed, with the names and the versions that envs/*.yaml ask for.

A package holds links to one distribution's modules and asks for what that distribution asks for, so an
environment can import what its file names, what that brings, and nothing else. What a channel like this cannot
show is that conda-forge has these versions.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import sys
import sysconfig
import tarfile
from collections import Counter
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement

TO_PIP = {"pytorch": "torch", "python-duckdb": "duckdb"}
with contextlib.suppress(metadata.PackageNotFoundError):
    # the build that the lock has on this system
    TO_PIP["faiss-cpu"] = metadata.metadata("faiss-gpu")["Name"]
SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
# told which python ran what: a line in every environment's site-packages
TELL = (
    "import os, sys; os.environ.get('CONDA_TOLD') and open(os.environ['CONDA_TOLD'], 'a')"
    ".write(sys.prefix + ' ' + ' '.join(sys.orig_argv) + chr(10))\n"
)


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_for(files: list[Path]) -> dict[str, tuple[str, str]]:
    """conda's name -> (pip's name, version) of all pinned dependencies, nested pip sections too."""
    found = {}
    for file in files:
        for entry in yaml.safe_load(file.read_text("utf-8"))["dependencies"]:
            pins = entry["pip"] if isinstance(entry, dict) else [entry]
            for pin in pins:
                name, _, version = re.match(r"([\w.-]+)( ?==?(.+))?", pin).groups()
                found[plain(name)] = (TO_PIP.get(name, name), version or "0")
    return found


def requirements(name: str) -> set[str]:
    """What a distribution asks for here, extras left out, as pip's names."""
    here = [Requirement(line) for line in metadata.requires(name) or ()]
    return {plain(one.name) for one in here if not one.marker or one.marker.evaluate({"extra": ""})}


def installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def modules(name: str) -> set[str]:
    """The top-level folders and files of a distribution in site-packages."""
    tops = {Path(str(file)).parts for file in metadata.files(name) or ()}
    return {p[0] for p in tops if p[0] not in ("..", "__pycache__")}


def links(names: set[str]) -> dict[str, set[str]]:
    """Distribution -> what of site-packages is to be linked; folders that several share, by what is in them."""
    tops = {name: modules(name) for name in names}
    shared = {top for top, n in Counter(t for one in tops.values() for t in one).items() if n > 1}
    found: dict[str, set[str]] = {}
    for name in names:
        below = {
            f"{p[0]}/{p[1]}"
            for p in (Path(str(file)).parts for file in metadata.files(name) or ())
            if p[0] in shared and len(p) > 1 and p[1] != "__pycache__"
        }
        found[name] = (tops[name] - shared) | below
    taken: set[str] = set()
    for name in sorted(found):  # the first one has what is still shared
        found[name] -= taken
        taken |= found[name]
    return found


def write_package(folder: Path, name: str, version: str, depends: list[str], files: dict) -> dict:
    """One .tar.bz2; files: path -> bytes, or the target of a link. Its line for the channel's index."""
    index = {
        "name": name, "version": version, "build": "0", "build_number": 0, "depends": depends,
        "subdir": "linux-64", "arch": "x86_64", "platform": "linux", "timestamp": 1700000000000,
    }  # fmt: skip
    paths = [
        {
            "_path": path,
            "path_type": "softlink" if isinstance(content, str) else "hardlink",
            "sha256": hashlib.sha256(b"" if isinstance(content, str) else content).hexdigest(),
            "size_in_bytes": 0 if isinstance(content, str) else len(content),
        }
        for path, content in sorted(files.items())
    ]
    info = {
        "info/index.json": json.dumps(index).encode(),
        "info/files": "".join(f"{path}\n" for path in sorted(files)).encode(),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}).encode(),
        "info/about.json": b"{}",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:bz2") as tar:
        for path, content in {**info, **files}.items():
            member = tarfile.TarInfo(path)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size, member.mode = len(content), 0o644
                tar.addfile(member, io.BytesIO(content))
    data = packed.getvalue()
    (folder / f"{name}-{version}-0.tar.bz2").write_bytes(data)
    sums = {kind: hashlib.new(kind, data).hexdigest() for kind in ("md5", "sha256")}
    return {**index, **sums, "size": len(data)}


def write_channel(folder: Path, files: list[Path]) -> int:
    """Write the channel of these environment files; the number of packages."""
    wanted = asked_for(files)
    python = wanted.pop("python")[1]
    wanted.pop("pip", None)
    conda = {plain(pip): (name, version) for name, (pip, version) in wanted.items()}
    todo, names = set(conda), set()
    while todo:  # what is asked for, and what that asks for
        name = todo.pop()
        if name not in names and installed(name):
            names.add(name)
            todo |= requirements(name) - names
    if missing := set(conda) - names:
        raise SystemExit(f"pip has not installed {sorted(missing)}")
    sub = folder / "linux-64"
    sub.mkdir(parents=True)
    (folder / "noarch").mkdir()
    packages = {}
    site = sysconfig.get_path("purelib")
    linked = links(names)
    for name in sorted(names):
        known, version = conda.get(name, (name, re.sub(r"\+.*", "", metadata.version(name))))
        needs = {conda.get(one, (one, ""))[0] for one in requirements(name) & names}
        content = {f"{SITE}/{top}": f"{site}/{top}" for top in linked[name]}
        line = write_package(sub, known, version, ["python", *sorted(needs)], content)
        packages[f"{known}-{version}-0.tar.bz2"] = line
    minor = ".".join(map(str, sys.version_info[:2]))
    base = os.path.realpath(os.path.join(sys.base_prefix, "bin", f"python{minor}"))
    told = f"home = {os.path.dirname(base)}\ninclude-system-site-packages = false\n"
    skeleton = {
        f"bin/python{minor}": base, "bin/python3": f"python{minor}", "bin/python": f"python{minor}",
        "pyvenv.cfg": told.encode(), f"{SITE}/tell.pth": TELL.encode(),
    }  # fmt: skip
    packages[f"python-{python}-0.tar.bz2"] = write_package(sub, "python", python, [], skeleton)
    packages["pip-0-0.tar.bz2"] = write_package(sub, "pip", "0", ["python"], {})
    for name, lines in (("linux-64", packages), ("noarch", {})):
        index = {"info": {"subdir": name}, "packages": lines, "packages.conda": {}}
        (folder / name / "repodata.json").write_text(json.dumps(index))
    return len(packages)
