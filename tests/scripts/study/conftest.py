"""A CLIP, latents and a point's captions, as a training of the study takes them."""

from pathlib import Path

import made_study
import pytest


@pytest.fixture(scope="session")
def study_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a CLIP of two steps; not to be written to."""
    return made_study.make_clip(tmp_path_factory.mktemp("study") / "clip")
