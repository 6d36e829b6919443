"""Config keys that are refused, and what to write instead."""

from __future__ import annotations

_INSERTS = (
    "every prompt gets study.inference.passes edits, with no chance involved: take the key away"
)
_RENAMED = {
    "inputs.pictures": "inputs.images",
    "world.planted.picture_only": "world.planted.image_only",
    "world.planted.held_out.picture_only": "world.planted.held_out.image_only",
    "world.closed.prompts.picture_only": "world.closed.prompts.image_only",
    "study.pictures": "study.images",
    "study.base.pictures": "study.base.images",
    "study.inpainting.pictures": "study.inpainting.images",
}
OLD_KEYS = {f"study.inference.{name}": _INSERTS for name in ("rt", "cwr", "rna")} | {
    old: f"the name of this key is {new}" for old, new in _RENAMED.items()
}
