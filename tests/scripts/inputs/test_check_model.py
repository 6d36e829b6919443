"""A model that cannot be loaded is refused in a second, before anything is searched or trained."""

import shutil

import pandas as pd
import pytest

from verbatim.diffusion.load import ModelFolderError


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


def test_the_files_of_a_good_folder_are_listed_with_their_sizes(check, tiny_sd):
    table = check(tiny_sd)
    assert "unet/diffusion_pytorch_model.safetensors" in list(table.file)
    assert (table.bytes == [(tiny_sd / file).stat().st_size for file in table.file]).all()


def test_nothing_is_written_for_a_bad_one(check, tiny_sd, tmp_path):
    folder = shutil.copytree(tiny_sd, tmp_path / "model")
    (folder / "unet" / "diffusion_pytorch_model.bin").touch()
    for source, words in [(folder, "is not safetensors"), (tmp_path / "none", "no such folder")]:
        with pytest.raises(ModelFolderError, match=words):
            check(source)
    with pytest.raises(ModelFolderError, match="set family to 'sd' in the models sheet"):
        check(tiny_sd, "if")
    assert not (tmp_path / "mine.tsv").exists()
