"""Find a model's folder in diffusers' layout, and check its kind before any weight is read.

What a folder must hold is told by the caller; nothing here knows a family.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from verbatim.models.files import CONFIGS, STEMS, check_folder_of, read_json
from verbatim.models.hub import HUB_ID, INCLUDES, ModelFolderError, find_snapshot


def find_folder(
    folder_or_id: str | os.PathLike[str],
    revision: str | None = None,
    includes: Iterable[str] = INCLUDES,
) -> Path:
    """The model's folder: as given, or of a hub id in the local cache. Nothing is downloaded.

    includes : patterns of the files that are needed, for the command that fetches them.
    """
    path = Path(folder_or_id)
    if path.is_dir():
        return path
    name = str(folder_or_id)
    if not HUB_ID.fullmatch(name):
        raise ModelFolderError(
            f"{name}: no such folder; correct the models sheet, or run the rule that trains it"
        )
    return find_snapshot(name, revision, includes=includes)


NO_LAYOUT = "it is not a folder in diffusers' layout, or not a whole one"


def check_pipeline(folder: Path, family: str, pipelines: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse a folder whose model_index.json is another pipeline than the family's.

    pipelines : family -> class names, of all families: the message names the one that fits.
    """
    wanted = " or ".join(pipelines[family])
    index = read_json(folder, "model_index.json", NO_LAYOUT)
    found = index.get("_class_name")
    if isinstance(found, list):
        raise ModelFolderError(
            f"{folder}: model_index.json asks for code of its own ({found}); such models are not "
            f"run: use one that is a plain {wanted}"
        )
    if found not in pipelines[family]:
        fits = [name for name, known in pipelines.items() if found in known]
        cure = f"set family to {fits[0]!r} in the models sheet" if fits else "use another model"
        raise ModelFolderError(
            f"{folder}: model_index.json says {found}, family {family!r} is a {wanted}; {cure}"
        )


def check_components(folder: Path, components: Iterable[str]) -> None:
    """Refuse, by name, a component that is missing, has no config, or brings code.

    components : folders that must be there, each with its config.
    """
    for part in components:
        check_folder_of(folder, part)
        name = f"{part}/{CONFIGS.get(part, 'config.json')}"
        if "auto_map" in read_json(folder, name, "the component has no config"):
            raise ModelFolderError(
                f"{folder}: {name} asks for code of its own (auto_map); such models "
                "are not run: use one whose classes are diffusers' and transformers'"
            )
        for file in sorted((folder / part).iterdir()):
            if file.suffix == ".py":
                raise ModelFolderError(
                    f"{folder}: {part}/{file.name} is code; models with code are not run: delete "
                    "the file if the model does without"
                )


__all__ = [
    "CONFIGS", "STEMS", "ModelFolderError", "check_components", "check_pipeline", "find_folder", "read_json",
]  # fmt: skip
