"""What is released: whole, in half precision, loadable as a public checkpoint, and described to the byte."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from tiny_models import CAPTIONS
from verbatim.models.clip import ClipEmbedder
from verbatim.world.release import (
    LICENCE,
    copy_half,
    describe_code,
    find_changes,
    summarize_training,
    write_provenance,
)


@pytest.fixture
def released(tmp_path, tiny_clip):
    copy_half(tiny_clip.folder, tmp_path / "world" / "clip")
    write_provenance(tmp_path / "world", {"config": {"seed": 3}})
    return tmp_path / "world"


def test_weights_are_halved_and_everything_else_is_copied(released, tiny_clip):
    name = "open_clip_model.safetensors"
    half, whole = load_file(released / "clip" / name), load_file(tiny_clip.folder / name)
    assert half.keys() == whole.keys()
    for key, tensor in half.items():
        assert tensor.dtype == (
            torch.float16 if whole[key].is_floating_point() else whole[key].dtype
        )
        torch.testing.assert_close(tensor.float(), whole[key].float(), rtol=1e-3, atol=1e-4)
    config = "open_clip_config.json"
    assert (released / "clip" / config).read_text() == (tiny_clip.folder / config).read_text()


def test_a_released_clip_embeds_as_the_trained_one(released, tiny_clip):
    one, other = (ClipEmbedder(path, "cpu") for path in (tiny_clip.folder, released / "clip"))
    texts = [clip.embed_texts(CAPTIONS, 4) for clip in (one, other)]
    np.testing.assert_allclose(texts[0], texts[1], atol=2e-2)
    assert (texts[0] * texts[1]).sum(1).min() > 0.999


def test_files_of_an_earlier_release_are_gone(released, tiny_clip):
    (released / "clip" / "old.json").touch()
    copy_half(tiny_clip.folder, released / "clip", leave_out=["open_clip_config.json"])
    assert not (released / "clip" / "old.json").exists()
    assert not (released / "clip" / "open_clip_config.json").exists()


def test_a_weight_that_half_precision_cannot_hold_is_named(tmp_path):
    (tmp_path / "model").mkdir()
    save_file({"big": torch.tensor([1e6])}, tmp_path / "model" / "m.safetensors")
    with pytest.raises(ValueError, match=r"m\.safetensors: big is not finite"):
        copy_half(tmp_path / "model", tmp_path / "out")


def test_the_provenance_knows_every_file_and_tells_what_changed(released):
    assert (released / "LICENSE.txt").read_text() == LICENCE
    facts = json.loads((released / "provenance.json").read_text())
    assert facts["config"] == {"seed": 3}
    assert "clip/open_clip_model.safetensors" in facts["sha256"]
    assert find_changes(released) == []
    (released / "clip" / "open_clip_config.json").write_text("{}")
    (released / "more.txt").touch()
    (released / "LICENSE.txt").unlink()
    assert find_changes(released) == ["LICENSE.txt", "clip/open_clip_config.json", "more.txt"]


def test_a_training_is_summed_up_by_its_end():
    log = pd.DataFrame(
        {"step": np.arange(100), "loss": [9.0] * 50 + [1.0] * 50, "seconds": np.arange(100) / 10}
    )
    assert summarize_training(log) == {"steps": 100, "seconds": 9.9, "loss": 1.0}


def test_code_is_described_by_its_digest(tmp_path):
    module = tmp_path / "verbatim" / "world" / "a.py"
    module.parent.mkdir(parents=True)
    module.write_text("x")
    assert describe_code([module]) == {
        "world/a.py": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    }


def test_no_config_tells_the_folder_that_a_network_was_loaded_from(tmp_path, tiny_sd):
    loaded = UNet2DConditionModel.from_pretrained(tiny_sd / "unet")
    loaded.save_pretrained(tmp_path / "trained" / "unet")  # diffusers writes where it came from
    config = tmp_path / "trained" / "unet" / "config.json"
    assert str(tiny_sd) in config.read_text("utf-8")
    copy_half(tmp_path / "trained", tmp_path / "world" / "sd1")
    copied = (tmp_path / "world" / "sd1" / "unet" / "config.json").read_text("utf-8")
    assert str(tiny_sd) not in copied
    again = UNet2DConditionModel.from_pretrained(tmp_path / "world" / "sd1" / "unet")
    assert {k: v for k, v in again.config.items() if k != "_name_or_path"} == {
        k: v for k, v in loaded.config.items() if k != "_name_or_path"
    }
