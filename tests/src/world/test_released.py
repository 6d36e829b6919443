"""The released checkpoints: whole, described, small, and loaded by the default sheet as public ones are."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from verbatim.config.copy_criteria import CopyCriteria
from verbatim.config.sheet import read_models
from verbatim.config.sources import RELEASED, find_manifest, is_released
from verbatim.io.images import decode_image, to_uint8
from verbatim.io.seals import LIST
from verbatim.models.clip import ClipEmbedder
from verbatim.models.descriptor_specs import make_spec
from verbatim.models.descriptors import load_descriptor
from verbatim.models.load import load_denoiser
from verbatim.world.release import PROVENANCE, find_changes
from verbatim.world.scenes import distort

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / RELEASED
CONFIG = yaml.safe_load((ROOT / "config" / "config.yaml").read_text("utf-8"))
MODELS = read_models(ROOT / CONFIG["models"], ROOT)


def test_every_file_is_what_the_provenance_says():
    assert find_changes(FOLDER) == []


def test_the_provenance_says_what_made_them():
    facts = json.loads((FOLDER / PROVENANCE).read_text("utf-8"))
    assert facts["config"]["seed"] == CONFIG["world"]["seed"]
    assert facts["config"]["planted"] == CONFIG["world"]["planted"]
    assert {"base", "sd1", "sd2"} <= set(facts["trainings"])
    assert all(len(digest) == 64 for digest in facts["code"].values())
    assert "CC BY-SA 4.0" in (FOLDER / "LICENSE.txt").read_text("utf-8")


def test_they_are_small_and_no_file_can_run_code():
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 45e6
    assert {path.suffix for path in files if path.name != LIST} <= {
        ".json",
        ".safetensors",
        ".txt",
        ".png",
        ".csv",
    }


def test_no_config_holds_a_path_of_the_machine_that_trained_it():
    for file in FOLDER.rglob("config.json"):
        assert "_name_or_path" not in json.loads(file.read_text("utf-8")), file


@pytest.mark.parametrize("model", MODELS.index)
def test_the_default_sheet_names_folders_that_are_there(model):
    row = MODELS.loc[model]
    assert is_released(row["source"])
    if row["family"] == "images":
        assert find_manifest(ROOT / row["source"]).is_file()
    else:
        assert (ROOT / row["source"] / "model_index.json").is_file()


@pytest.mark.parametrize("model", MODELS.index[MODELS["family"] == "sd"])
def test_a_latent_model_loads_and_is_of_the_worlds_size(model):
    denoiser = load_denoiser(str(ROOT / MODELS.loc[model, "source"]), "sd", "cpu")
    assert denoiser.size == CONFIG["world"]["size"]


def test_the_clip_embeds_scenes_of_the_worlds_size():
    clip = ClipEmbedder(ROOT / CONFIG["inputs"]["clip"], "cpu")
    size = CONFIG["world"]["size"]
    images = np.random.default_rng(0).random((2, size, size, 3), np.float32)
    vectors = clip.embed_images(images, 2)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_the_copy_descriptor_finds_the_near_duplicates_of_images_that_it_has_not_seen():
    criteria = CopyCriteria(CONFIG)
    folder = ROOT / criteria.settings["source"]
    detector = load_descriptor(make_spec(str(folder), criteria.spec))
    files = sorted((FOLDER / "midjourney").glob("*_0.png"))[:40]
    images = [to_uint8(decode_image(file.read_bytes())) for file in files]
    changed = [distort(image, ("jpeg", "shift_x", "crop", "bright")[i % 4]) for i, image in enumerate(images)]  # fmt: skip
    found = detector.describe(images).whole
    similar = detector.describe(changed).whole @ found.T
    assert (similar.argmax(1) == np.arange(40)).mean() > 0.9
    assert np.median(np.diag(similar)) > 0.7
    assert np.median(similar[~np.eye(40, dtype=bool)]) < 0.2
