"""Which copy detectors there are, and what is wrong with one before it is loaded; no network library is imported.

Weights are read from local files alone: safetensors, or a TorchScript file, which holds code and is therefore
loaded only if its SHA-256 is the one that the config states.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verbatim.models.descriptor_preprocessing import PRESETS

KINDS = ("open_clip", "timm", "torchscript", "pixels", "copy_network")
OWN = "own"  # preset: what the model's own folder says
# kind -> files of its folder; a TorchScript file is one file
FILES = {
    "open_clip": ("open_clip_config.json", "open_clip_model.safetensors"),
    "timm": ("config.json", "model.safetensors"),
    "copy_network": ("config.json", "model.safetensors"),
}
STUDY = "similarity.descriptors"  # block of the config that names those of the copying study
BLOCK, ENTRY = "labels.copies", "descriptor"  # where the config names that of the labels


class DescriptorError(ValueError):
    """A copy detector cannot be used; the message names the key, the file and the cure."""


@dataclass(frozen=True)
class Spec:
    """A descriptor that the config names.

    name
        Its key in `block`.
    kind
        open_clip, timm (folders in these libraries' layouts), copy_network (a folder that `train_descriptor` wrote),
        torchscript (a file) or pixels (no network at all).
    source
        The folder or file.
    preset
        One of `preprocessing.PRESETS`, or "own".
    sha256
        Of a TorchScript file.
    chunks
        Pieces that a vector is cut into where the network has no tokens.
    block
        Block of the config that it is an entry of.
    """

    name: str
    kind: str
    source: str
    preset: str = OWN
    sha256: str = ""
    chunks: int = 16
    block: str = STUDY

    @property
    def key(self) -> str:
        """Where the config names it, for messages."""
        return f"{self.block}.{self.name}"


def read_checked(path: str | Path, sha256: str, key: str) -> bytes:
    """The bytes of a file that holds code, if they are those that the config states.

    Raises DescriptorError naming the key, the file and the cure.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as err:
        raise DescriptorError(
            f"config: {key}: {path} cannot be read ({err}); correct source"
        ) from err
    found = hashlib.sha256(data).hexdigest()
    if found != sha256.lower():
        raise DescriptorError(
            f"config: {key}: {path} has the SHA-256 {found}, not {sha256 or 'a stated one'}; a TorchScript file "
            "is code: make sure that it is the one you mean, and state its digest in sha256"
        )
    return data


def check_spec(spec: Spec, digest: bool = True) -> None:
    """Refuse a descriptor that cannot be loaded, before any work is done for it; imports no network library.

    Raises DescriptorError for an unknown kind or preset, a file that is missing or of another kind, and a
    TorchScript file whose digest is not stated, or another (`digest`: read all of it).
    """
    key = spec.key
    if spec.kind not in KINDS:
        raise DescriptorError(f"config: {key}.kind is {spec.kind!r}; one of {', '.join(KINDS)}")
    if spec.preset not in (*PRESETS, OWN) or (spec.kind == "torchscript" and spec.preset == OWN):
        known = [*PRESETS] + ([] if spec.kind == "torchscript" else [OWN])
        raise DescriptorError(f"config: {key}.preset is {spec.preset!r}; one of {', '.join(known)}")
    if spec.kind == "pixels":
        if spec.source:
            raise DescriptorError(
                f"config: {key}.source is {spec.source!r}, but kind 'pixels' reads nothing; empty it"
            )
        return
    source = Path(spec.source)
    if not source.exists():
        raise DescriptorError(
            f"config: {key}.source is {spec.source!r}, and there is nothing; nothing is fetched: put the "
            f"{'file' if spec.kind == 'torchscript' else 'folder'} there, or correct it"
        )
    if spec.kind == "torchscript":
        if not source.is_file():
            raise DescriptorError(f"config: {key}.source is {spec.source!r}, no TorchScript file")
        if len(spec.sha256) != 64:
            raise DescriptorError(
                f"config: {key}.sha256 is {spec.sha256!r}; a TorchScript file is code: state its digest "
                f"(sha256sum {spec.source})"
            )
        with open(source, "rb") as file:
            start = file.read(4)
        if start != b"PK\x03\x04":
            raise DescriptorError(
                f"config: {key}: {spec.source} is no TorchScript file (it is no archive); for weights alone "
                f"take kind {' or '.join(FILES)}"
            )
        if digest:
            read_checked(source, spec.sha256, key)
        return
    for name in FILES[spec.kind]:
        if not (source / name).is_file():
            raise DescriptorError(
                f"config: {key}: {spec.source} has no {name}; kind {spec.kind!r} wants a folder with "
                f"{' and '.join(FILES[spec.kind])}"
            )


def files_of(kind: str, source: str) -> list[str]:
    """The files that a descriptor of this kind is read from: those of its folder, the one that it is, or none."""
    if kind == "torchscript":
        return [source]
    return [f"{source}/{name}" for name in FILES.get(kind, ())]


def make_spec(source: str, entry: Mapping[str, Any]) -> Spec:
    """The descriptor of the labels that lies at `source`; entry: its kind, preset, sha256 and chunks."""
    return Spec(name=ENTRY, source=source, block=BLOCK, **entry)


def make_specs(descriptors: dict[str, dict[str, Any]], clip: str) -> list[Spec]:
    """The entries of `similarity.descriptors`, in their order; an empty source is the folder of `inputs.clip`.

    Raises DescriptorError for a TorchScript or timm entry without a source.
    """
    specs = []
    for name, entry in descriptors.items():
        if not entry["source"] and entry["kind"] not in ("open_clip", "pixels"):
            raise DescriptorError(
                f"config: similarity.descriptors.{name}.source is empty; only an open_clip folder can be "
                "the one of inputs.clip: name the file or folder"
            )
        own = clip if entry["kind"] == "open_clip" else ""
        specs.append(Spec(name, **{**entry, "source": entry["source"] or own}))
    return specs


def check_descriptors(measures: dict[str, Any]) -> list[str]:
    """Refuse what of `similarity` cannot be loaded; the files that descriptors are read from.

    Entries without a source are made by a run, or checked elsewhere (`inputs.clip`). Raises DescriptorError.
    """
    entries = measures["descriptors"]
    if measures["descriptor"] not in entries:
        raise DescriptorError(
            f"config: similarity.descriptor is {measures['descriptor']!r}; descriptors has {', '.join(entries)}"
        )
    files = []
    for spec in make_specs(entries, ""):
        if spec.source or spec.kind == "pixels":
            check_spec(spec)
        if spec.source:
            files += files_of(spec.kind, spec.source)
    inception = measures["inception"]
    if inception["source"]:
        read_checked(inception["source"], inception["sha256"], "similarity.inception")
        files.append(inception["source"])
    return files
