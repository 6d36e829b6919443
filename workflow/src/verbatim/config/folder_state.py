"""Which files a folder of a user's has: part of a rule's params, so that an exchanged file is looked at anew."""

from __future__ import annotations

import hashlib
import os


def folder_state(place: str | os.PathLike[str]) -> str:
    """Digest of the names, sizes and times of the files of a folder, or of one file; of none where there is nothing."""
    digest = hashlib.sha256()
    root = os.fspath(place)
    if os.path.isfile(root):
        _add(digest, os.path.basename(root), root)
    for base, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(base, name)
            _add(digest, os.path.relpath(path, root), path)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, name: str, path: str) -> None:
    stat = os.stat(path)
    digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode("utf-8", "replace"))
