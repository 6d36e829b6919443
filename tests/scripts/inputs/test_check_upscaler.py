"""A second stage that cannot be loaded, or fits no first one, is refused before anything is generated."""

import hashlib

import pandas as pd
import pytest

from verbatim.models.hub import ModelFolderError


@pytest.fixture
def check(run_script, tmp_path, tiny_if):
    def run(upscaler, **how):
        settings = {"sampler": "ddim", "steps": 2, "guidance": 4.0, "noise_level": 250} | how
        run_script(
            "inputs/check_upscaler.py",
            output={"files": tmp_path / "mine.tsv"},
            params={
                "model": {"model": "mine", "family": "if", "source": str(tiny_if), "revision": ""},
                "upscaler": {"source": str(upscaler), "revision": "", **settings},
            },
        )
        return pd.read_csv(tmp_path / "mine.tsv", sep="\t").set_index("file")

    return run


def test_what_is_loaded_of_a_good_one_is_listed_with_digests(check, tiny_upscaler):
    table = check(tiny_upscaler)
    weights = tiny_upscaler / "unet/diffusion_pytorch_model.safetensors"
    row = table.loc["unet/diffusion_pytorch_model.safetensors"]
    assert row["bytes"] == weights.stat().st_size
    assert row["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert "image_noising_scheduler/scheduler_config.json" in table.index


def test_nothing_is_written_for_a_bad_one(check, tiny_if, tiny_upscaler, tmp_path):
    with pytest.raises(ModelFolderError, match="correct the column upscaler of the models sheet"):
        check(tiny_if)
    with pytest.raises(ModelFolderError, match=r"sampling\.upscaler\.noise_level"):
        check(tiny_upscaler, noise_level=5000)
    assert not (tmp_path / "mine.tsv").exists()
