"""The copy descriptor that labels are compared with: whether a run has one, what it is, and the files it is read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from verbatim.config.settings import ConfigError
from verbatim.config.sources import is_released
from verbatim.models.descriptor_specs import (
    BLOCK,
    ENTRY,
    DescriptorError,
    check_spec,
    files_of,
    make_spec,
)

NONE, WORLD = "none", "world"  # kind of no descriptor; source of the one that the world trains
TRAINED = "world/descriptor"  # its folder in the results


@dataclass(frozen=True, repr=False)  # Snakemake prints input functions with what they belong to
class CopyCriteria:
    """`labels.copies` of a checked configuration."""

    config: Mapping[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """The entry of the config that names the descriptor."""
        return dict(self.config["labels"]["copies"][ENTRY])

    @property
    def asked(self) -> bool:
        """Whether generations are described. What the embedded world trains says nothing of a user's own images."""
        entry = self.settings
        if entry["kind"] == NONE:
            return False
        worlds = entry["source"] == WORLD or is_released(entry["source"])
        return not worlds or self.config["inputs"]["source"] == "world"

    @property
    def spec(self) -> dict[str, Any]:
        """Params: what the descriptor is loaded by; its file or folder is an input."""
        return {key: value for key, value in self.settings.items() if key not in ("source", "name")}

    @property
    def name(self) -> str:
        """What the criteria are named by: `sscd` of sscd_0.5."""
        return str(self.settings["name"])

    @property
    def files(self) -> list[str]:
        """The files that the descriptor is read from."""
        source = self.settings["source"]
        folder = f"<results>/{TRAINED}" if source == WORLD else source
        return files_of(self.settings["kind"], folder)

    def check(self) -> None:
        """Refuse a descriptor that cannot be loaded, before any work; raises ConfigError naming key, file and cure."""
        entry = self.settings
        if not self.asked or entry["source"] == WORLD:
            return
        if entry["kind"] == "open_clip" and not entry["source"]:
            raise ConfigError(
                f"config: {BLOCK}.{ENTRY}.source is empty; name the folder of a CLIP, or take the kind {NONE!r}"
            )
        try:
            check_spec(make_spec(entry["source"], self.spec))
        except DescriptorError as err:
            raise ConfigError(
                f"{err}. Or take the kind {NONE!r}: labels need no descriptor"
            ) from err
