"""Each network of the world is trained on its own rows, from its own start, with its own seed."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from overlays import change

from verbatim.config.sheet import BASE, CLOSED, read_models
from verbatim.config.world_training import WorldTraining

ROOT = Path(__file__).resolve().parents[3]
ROWS = ["<results>/inputs/rows/00000.parquet"]


@pytest.fixture
def make(config, sheet):
    def build(*cells, given=config, shards=("00000", "00012")):
        return WorldTraining(given, read_models(sheet(*cells), ROOT), ROWS, shards)

    return build


def of(model):
    return SimpleNamespace(model=model)


@pytest.mark.parametrize(
    ("word", "inputs"),
    [
        ("all", {"rows": ROWS}),
        ("deduplicated", {"rows": ROWS, "kept_rows": "<results>/dedup/kept_rows.parquet"}),
        ("distinct", {"rows": ROWS, "kept_rows": "<results>/world/distinct_rows.parquet"}),
        ("style:photo", {"rows": ["<results>/world/styles/photo/rows.parquet"]}),
    ],
)
def test_a_model_is_trained_on_the_rows_that_the_sheet_says(make, word, inputs):
    assert make(("sd1", "training", word)).data(of("sd1")) == inputs


def test_models_that_no_sheet_has_are_trained_too(make):
    training = make()
    assert training.models[:2] == [BASE, CLOSED]
    assert training.start(of(CLOSED))["init"] == f"<results>/world/models/{BASE}/model_index.json"
    assert "init" not in training.start(of(BASE))
    singles = "<results>/world/single_rows.parquet"
    assert training.data(of(BASE)) == {"rows": ROWS, "kept_rows": singles}


def test_a_latent_model_starts_with_the_vae_and_a_pixel_model_with_the_text_encoder(make):
    training = make()
    assert {"vae", "vae_weights"} <= set(training.start(of("sd1")))
    assert {"text", "text_weights"} <= set(training.start(of("if")))
    assert "vae" not in training.start(of("if"))


def test_a_model_that_continues_another_is_trained_as_finetune_says(make, config):
    config = change(config, "world.finetune.steps", 7)
    training = make(("openjourney", "init", "sd1"), given=config)
    assert training.settings(of("openjourney"))["steps"] == 7
    assert "images" not in training.settings(of("openjourney"))
    assert training.settings(of(BASE)) == config["world"]["sd"] | config["world"]["base"]
    assert training.settings(of(CLOSED)) == config["world"]["sd"]
    assert training.settings(of("if")) == config["world"]["if"]


def test_settings_of_a_training_change_nothing_of_the_config(make, config):
    before = dict(config["world"]["sd"])
    make().settings(of(BASE))
    assert config["world"]["sd"] == before


def test_each_network_has_a_seed_and_a_checkpoint_of_its_own(make, config):
    training = make()
    seeds = {training.seed_of(of("if")), training.upscaler_seed(of("if")), training.seed("clip")}
    assert len(seeds) == 3
    assert make(given=change(config, "world.seed", 99)).seed("clip") not in seeds
    assert training.checkpoint_of(of("if")) != training.upscaler_checkpoint(of("if"))


def test_a_release_holds_the_models_of_the_sheet_and_their_second_stages(make):
    training = make()
    assert training.released[-1] == "if_upscaler"
    assert len(training.logs) == 3 + len(training.models) + 1
    assert training.with_upscaler == ["if"]


def test_files_of_the_world_are_named_as_img2dataset_and_as_clip_retrieval_name_them(make):
    assert make().of_shards("a/{shard}.tar") == ["a/00000.tar", "a/00012.tar"]
    assert make().of_shards("b_{number}.npy") == ["b_0000.npy", "b_0012.npy"]
