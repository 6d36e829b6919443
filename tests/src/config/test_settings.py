"""A typo in the config is named with its near match, a wrong value with its key and meaning."""

from pathlib import Path

import pytest
from overlays import change

from verbatim.config.settings import ConfigError, check_config, read_numbers

ROOT = Path(__file__).resolve().parents[3]


def test_the_default_config_is_sound(config):
    check_config(config, ROOT)


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("whitebox.guidence", "guidance"),
        ("dedup.treshold", "threshold"),
        ("world.planted.singel", "single"),
        ("blackbox.presets.world.sobol", "sobel"),
        ("whiteboxx", "whitebox"),
    ],
)
def test_a_mistyped_key_is_named_with_its_near_match(config, key, near):
    with pytest.raises(ConfigError, match=f"{key!r} is no known key .did you mean {near!r}"):
        check_config(change(config, key, 1), ROOT)


@pytest.mark.parametrize("name", ["rt", "cwr", "rna"])
def test_a_chance_at_inference_is_refused_with_what_to_write_instead(config, name):
    with pytest.raises(
        ConfigError, match=rf"mitigation\.inference\.{name}' is no known key; .*passes"
    ):
        check_config(change(config, f"mitigation.inference.{name}", 0.1), ROOT)


def test_an_unknown_key_is_named_with_the_known_ones(config):
    with pytest.raises(
        ConfigError, match=r"'sampling\.zzz' is no known key; known: batch, guidance"
    ):
        check_config(change(config, "sampling.zzz", 1), ROOT)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("whitebox.seeds", "zero"),
        ("whitebox.seeds", []),
        ("sampling.steps", 0),
        ("sampling.steps", 2.5),
        ("sampling.sampler", "plms"),
        ("dedup.threshold", 1.5),
        ("labels.order", ["MV", "XV"]),
        ("whitebox.batch", None),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_meaning(config, key, value):
    with pytest.raises(ConfigError) as err:
        check_config(change(config, key, value), ROOT)
    assert key in str(err.value)
    assert repr(value) in str(err.value) or "XV" in str(err.value)


def test_numbers_that_the_command_line_gives_as_text_are_numbers(config):
    """Snakemake reads `--config sampling="{steps: 5}"` as text."""
    for key, text in [
        ("sampling.steps", "5"), ("sampling.guidance", "2.5"), ("dedup.threshold", "9e-1"),
        ("whitebox.seeds", ["3", "4"]), ("postfilter.stop_early", "False"),
        ("labels.presets.paper.mv", "0.2"), ("world.planted.full.times", ["7"]),
    ]:  # fmt: skip
        config = change(config, key, text)
    read_numbers(config, ROOT)
    check_config(config, ROOT)
    assert config["sampling"]["steps"] == 5
    assert config["sampling"]["guidance"] == 2.5
    assert config["dedup"]["threshold"] == 0.9
    assert config["whitebox"]["seeds"] == [3, 4]
    assert config["postfilter"]["stop_early"] is False
    assert config["labels"]["presets"]["paper"]["mv"] == 0.2
    assert config["world"]["planted"]["full"]["times"] == [7]


@pytest.mark.parametrize("text", ["five", "", "[5]", "null", "5x"])
def test_text_that_is_no_number_is_refused_as_it_was_written(config, text):
    config = change(config, "sampling.steps", text)
    read_numbers(config, ROOT)
    assert config["sampling"]["steps"] == text
    with pytest.raises(ConfigError, match=r"sampling\.steps is "):
        check_config(config, ROOT)


def test_a_name_that_looks_like_a_number_stays_a_name(config):
    config = change(config, "results", "2026")
    read_numbers(config, ROOT)
    assert config["results"] == "2026"


def test_a_missing_key_is_named(config):
    del config["postfilter"]["n_images"]
    with pytest.raises(ConfigError, match="postfilter: 'n_images' is a required property"):
        check_config(config, ROOT)


def test_all_that_is_wrong_is_told_at_once(config):
    config = change(change(config, "dedup.k", 0), "labels.sise", 3)
    with pytest.raises(ConfigError) as err:
        check_config(config, ROOT)
    assert "dedup.k" in str(err.value)
    assert "labels.sise" in str(err.value)


@pytest.mark.parametrize("stage", ["blackbox", "postfilter", "labels"])
def test_a_preset_that_is_not_listed_is_refused_with_the_listed_ones(config, stage):
    with pytest.raises(ConfigError, match=rf"{stage}\.preset is 'mine'; known: "):
        check_config(change(config, f"{stage}.preset", "mine"), ROOT)


def test_the_reference_score_needs_guidance(config):
    with pytest.raises(ConfigError, match=r"whitebox\.guidance is 1.*preset 'paper'"):
        check_config(change(config, "whitebox.guidance", 1), ROOT)
    check_config(change(change(config, "whitebox.guidance", 1), "whitebox.preset", "paper"), ROOT)


def test_the_old_key_of_a_bundles_images_names_the_new_one(config):
    config["evidence"]["bundle"] = {"images": "blurred", "only": [1]}
    with pytest.raises(ConfigError) as told:
        check_config(config, ROOT)
    assert "evidence.bundle.images, evidence.bundle.only is no key" in str(told.value)
    assert "privacy (images: full, blurred or none; only: prompt_ids)" in str(told.value)


def test_prompts_named_without_hiding_anything_are_refused(config):
    config["privacy"]["only"] = [1]
    with pytest.raises(ConfigError, match="nothing of them would be hidden"):
        check_config(config, ROOT)
    config["privacy"]["images"] = "blurred"
    check_config(config, ROOT)
    config["privacy"]["images"] = "partly"
    with pytest.raises(ConfigError, match=r"privacy\.images is 'partly'"):
        check_config(config, ROOT)
