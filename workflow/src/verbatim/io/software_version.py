"""The version of this software: `project.version` of pyproject.toml, the one place that outputs take it from."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path


def software_version(home: str | os.PathLike[str]) -> str:
    """Version of the checkout `home`, e.g. "0.1.0"; "" where its pyproject.toml is missing or says none."""
    try:
        project = tomllib.loads((Path(home) / "pyproject.toml").read_text("utf-8"))["project"]
        return str(project["version"])
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return ""
