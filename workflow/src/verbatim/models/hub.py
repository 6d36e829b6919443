"""Models of the Hugging Face hub, in the cache that its client fills; they are never fetched.

The cache (huggingface_hub, "Understand caching") keeps a model in `models--owner--name/`: `refs/<branch>`
holds the commit of a branch or tag, `snapshots/<commit>/` links to `blobs/`, and clients since 1.22 add
`trees/<commit>.json`, a list of all the files that the hub has. A snapshot may hold a part of them: what
is needed is checked when the model is loaded, file by file.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
COMMIT = re.compile(r"[0-9a-f]{40}")
# files of a model that is loaded here; a family names its folders
INCLUDES = ("*.json", "*.txt", "*.model", "*.safetensors")


class ModelFolderError(ValueError):
    """A model cannot be loaded; the message names the folder, the file and the cure."""


def cache_folder() -> Path:
    """Where the hub's client keeps models: as huggingface_hub.constants reads the environment."""
    env = os.environ
    home = env.get("HF_HOME") or os.path.join(
        env.get("XDG_CACHE_HOME") or os.path.join("~", ".cache"), "huggingface"
    )
    found = env.get("HF_HUB_CACHE") or env.get("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")
    return Path(os.path.expandvars(os.path.expanduser(found)))


def fetch_command(
    name: str, revision: str | None, cache: str | os.PathLike, includes: Iterable[str] = INCLUDES
) -> str:
    """The shell command that fetches these files of a model into a cache, with the client in .venv."""
    words = [".venv/bin/hf", "download", name]
    words += ["--revision", revision] if revision else []
    words += ["--cache-dir", str(cache)]
    for pattern in includes:  # the option takes one pattern; what stands behind it is a file's name
        words += ["--include", pattern]
    return shlex.join(words)


def snapshot_of(folder: Path) -> tuple[str, str, Path] | None:
    """(hub id, commit, cache) of a snapshot's folder in a hub cache; None for any other folder."""
    repo = folder.parent.parent
    if folder.parent.name != "snapshots" or not repo.name.startswith("models--"):
        return None
    return repo.name.removeprefix("models--").replace("--", "/"), folder.name, repo.parent


def cure_of(folder: Path, includes: Iterable[str] = INCLUDES) -> str:
    """What to do where a file of a model is missing or broken: words for the end of a message."""
    found = snapshot_of(folder)
    if found is None:
        return "fetch, copy or train the model again"
    name, commit, cache = found
    return f"fetch what is missing: {fetch_command(name, commit, cache, includes)}"


def find_snapshot(
    name: str,
    revision: str | None,
    cache: Path | None = None,
    includes: Iterable[str] = INCLUDES,
) -> Path:
    """The folder of a model's snapshot in a hub cache, whole or not.

    Parameters
    ----------
    name : owner/name.
    revision : a commit (40 hexadecimal digits), a branch or a tag; None is the branch main.
    cache : as `hf download --cache-dir`; None is the client's own (`cache_folder`).
    includes : patterns of the files that are needed, for the command in the message.

    Raises
    ------
    ModelFolderError : nothing of that revision is in the cache; it names what is.
    """
    cache = cache_folder() if cache is None else cache
    repo = cache / f"models--{name.replace('/', '--')}"
    try:
        commits = sorted(p.name for p in (repo / "snapshots").iterdir() if p.is_dir())
        commit = revision if revision and COMMIT.fullmatch(revision) else _commit(repo, revision)
    except (FileNotFoundError, NotADirectoryError):
        commits, commit = [], None
    except OSError as err:
        raise ModelFolderError(
            f"{name}: the hub cache {cache} cannot be read ({err.strerror})"
        ) from err
    if commit in commits:
        return repo / "snapshots" / str(commit)
    asked = f"revision {revision}" if revision else "branch main"
    if commits:
        what = f"the local hub cache {cache} has {', '.join(commits)} of it, but not {asked}"
    else:
        what = f"neither a folder here nor a model in the local hub cache {cache}"
    raise ModelFolderError(
        f"{name}: {what}; fetch it first: {fetch_command(name, revision, cache, includes)}"
    )


def _commit(repo: Path, revision: str | None) -> str | None:
    """Commit that a branch or tag had when it was fetched."""
    ref = repo / "refs" / (revision or "main")
    return ref.read_text("utf-8").strip() if ref.is_file() else None
