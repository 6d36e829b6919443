"""A model that cannot be loaded is refused in a second, before anything is searched or trained."""

import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from script_files import Params

from verbatim.io.result_cache import fingerprint
from verbatim.models.load import ModelFolderError
from verbatim.runtime import load_model, model_files


@pytest.fixture
def check(run_script, tmp_path):
    def run(source, family="sd"):
        row = {
            "model": "mine",
            "family": family,
            "source": str(source),
            "revision": "",
            "dtype": "float32",
        }
        run_script(
            "inputs/check_model.py", output={"files": tmp_path / "mine.tsv"}, params={"model": row}
        )
        return pd.read_csv(tmp_path / "mine.tsv", sep="\t")

    return run


@pytest.mark.slow
def test_the_files_of_a_good_folder_are_listed_with_their_sizes(check, tiny_sd):
    table = check(tiny_sd)
    assert "unet/diffusion_pytorch_model.safetensors" in list(table.file)
    assert (table.bytes == [(tiny_sd / file).stat().st_size for file in table.file]).all()
    digests = [hashlib.sha256((tiny_sd / file).read_bytes()).hexdigest() for file in table.file]
    assert list(table.sha256) == digests


@pytest.mark.slow
def test_a_job_loads_the_files_that_were_checked_or_ends(check, tiny_sd, tmp_path):
    folder = shutil.copytree(tiny_sd, tmp_path / "model")
    check(folder)
    row = {"model": "mine", "family": "sd", "source": str(folder), "revision": ""}
    job = SimpleNamespace(input={"checked": str(tmp_path / "mine.tsv")}, params=Params(model=row))
    assert load_model(job).size == 32
    before = fingerprint(model_files(job))
    config = folder / "unet/config.json"
    config.write_text(config.read_text() + " ")
    with pytest.raises(ModelFolderError, match=r"unet/config\.json is not the file .* checked"):
        load_model(job)
    check(folder)
    assert load_model(job).size == 32
    assert fingerprint(model_files(job)) != before
    unchecked = SimpleNamespace(input={}, params=job.params)
    assert {Path(file).parent.name for file in model_files(unchecked)} >= {
        "unet",
        "vae",
        "tokenizer",
    }


def test_nothing_is_written_for_a_bad_one(check, tiny_sd, tmp_path):
    folder = shutil.copytree(tiny_sd, tmp_path / "model")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    for source, words in [(folder, "pickled weights alone"), (tmp_path / "none", "no such folder")]:
        with pytest.raises(ModelFolderError, match=words):
            check(source)
    with pytest.raises(ModelFolderError, match="set family to 'sd' in the models sheet"):
        check(tiny_sd, "if")
    assert not (tmp_path / "mine.tsv").exists()
