"""Config keys that are refused, and what to write instead."""

from __future__ import annotations

from typing import Any

_INSERTS = "every prompt gets mitigation.inference.passes edits, with no chance involved: take the key away"
_RENAMED = {
    "inputs.pictures": "inputs.images",
    "world.planted.picture_only": "world.planted.image_only",
    "world.planted.held_out.picture_only": "world.planted.held_out.image_only",
    "world.closed.prompts.picture_only": "world.closed.prompts.image_only",
}
# key of the block `study` -> its key in one of the blocks of the copying study's stages
STUDY_KEYS = {
    **{
        name: f"sweep.{name}"
        for name in (
            "images", "points", "select_points", "seeds", "base", "training", "held_out", "captions", "mitigations",
        )
    },
    **{name: f"mitigation.{name}" for name in ("defences", "defended", "inference", "sample", "more", "users")},
    "pictures": "sweep.images",
    "base.pictures": "sweep.base.images",
    "inpainting.pictures": "membership.inpainting.images",
    "users.describes": "similarity.describes",
    "measures": "similarity",
    "membership": "membership.lira",
    **{name: f"membership.{name}" for name in ("attack", "inpainting", "relative")},
    "paper_values": "claims.paper_values",
}  # fmt: skip
_STUDY = "the copying study has the blocks sweep, similarity, mitigation, membership and claims"
OLD_KEYS = (
    {f"mitigation.inference.{name}": _INSERTS for name in ("rt", "cwr", "rna")}
    | {old: f"the name of this key is {new}" for old, new in _RENAMED.items()}
    | {"study": _STUDY}
)


def new_name(key: str) -> str:
    """What a key under `study` is called: the longest part of it that `STUDY_KEYS` has, renamed; "" if none has.

    Parameters
    ----------
    key : the key in full, e.g. "study.base.images".
    """
    parts = key.split(".")[1:]
    for n in range(len(parts), 0, -1):
        if new := STUDY_KEYS.get(".".join(parts[:n])):
            return ".".join([new, *parts[n:]])
    return ""


def cure_of(key: str, value: Any) -> str:
    """What to write instead of an unknown key, "" if no earlier version read it.

    Parameters
    ----------
    key, value : the key in full, and what stands there. Of the block `study` each key is told its new name.
    """
    if key == "study" and isinstance(value, dict):
        told = [f"{old} is {new}" for old in _leaves("study", value) if (new := new_name(old))]
        return "; ".join([_STUDY, *told])
    return OLD_KEYS.get(key, "")


def _leaves(key: str, value: Any) -> list[str]:
    """Keys in full of every entry that is no block."""
    if not isinstance(value, dict):
        return [key]
    return [leaf for name, inner in value.items() for leaf in _leaves(f"{key}.{name}", inner)]
