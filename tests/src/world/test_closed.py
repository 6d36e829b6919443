"""The closed system: prompts of every kind, and images that the stage `labels` reads by their manifest."""

import numpy as np
import pandas as pd
import pytest

from verbatim.labels.closed_system import read_manifest
from verbatim.world.closed import choose_prompts, write_images
from verbatim.world.plan import WorldError


def truth() -> pd.DataFrame:
    rows = [("full", f"full {i}", "") for i in range(5) for _ in range(3)]
    rows += [("template", f"t{f} {i}", f"family {f}") for f in range(2) for i in range(6)]
    rows += [("held_out", f"held {i}", "") for i in range(3)]
    return pd.DataFrame(rows, columns=["kind", "caption", "family"])


def test_each_kind_gives_as_many_captions_as_asked_and_no_caption_twice():
    prompts = choose_prompts(truth(), {"full": 4, "held_out": 10, "template": 4}, seed=0)
    assert prompts["caption"].is_unique
    assert prompts["kind"].value_counts().to_dict() == {"full": 4, "template": 4, "held_out": 3}


def test_families_are_asked_for_alike():
    prompts = choose_prompts(truth(), {"template": 4}, seed=0)
    families = prompts["caption"].str.split().str[0]
    assert families.value_counts().to_dict() == {"t0": 2, "t1": 2}


def test_a_seed_decides_which():
    one, same, other = (choose_prompts(truth(), {"full": 5}, seed) for seed in (0, 0, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


def test_its_manifest_is_read_as_a_closed_systems(tmp_path):
    images = np.random.default_rng(0).random((2, 2, 8, 8, 3), np.float32)
    write_images(tmp_path, ["red heart", 'a "quoted", one'], [0, 7], images, 10)
    manifest = read_manifest(tmp_path / "manifest.csv")
    assert list(manifest["prompt"]) == ["red heart"] * 2 + ['a "quoted", one'] * 2
    assert list(manifest["seed"]) == ["0", "7"] * 2
    assert set(manifest["steps"]) == {"10"}
    assert all((tmp_path / file).is_file() for file in manifest["file"])


def test_an_image_that_is_not_finite_is_named_with_its_prompt_and_seed(tmp_path):
    image = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(WorldError, match=r"'red heart' with seed 7; .*world\.seed"):
        write_images(tmp_path, ["red heart"], [0, 7], [[image, None]], 10)
