"""Every training image judges what a guard lets out."""

import numpy as np
import pandas as pd
import pytest

from verbatim.tables.exhaustive import count_kinds, nearest_of_all, unlike

TRAINING = np.random.default_rng(0).random((3, 8, 8, 3)).astype(np.float32)
GENERATIONS = {"1_0.png": TRAINING[2] + 0.05, "2_0.png": np.zeros((8, 8, 3), np.float32)}
OUTCOMES = pd.DataFrame(
    {"prompt_id": [1, 2, 3, 1, 2, 3], "seed": 0, "policy": ["none"] * 3 + ["check"] * 3, "defence": "",
     "let_out": ["none", "none", "none", "", "none", "none"], "group": ["copied", "never trained on", "calibration"] * 2,
     "unit": ["a", "b", "c"] * 2, "regenerated": False, "withheld": [False, False, False, True, False, False]}
)  # fmt: skip
PROMPTS = pd.DataFrame({"prompt_id": [1, 2, 3], "kind": ["full", "held_out", "held_out"]})


class Archive:
    def read(self, name):
        return GENERATIONS[name]


def test_images_that_are_equal_are_one():
    np.testing.assert_array_equal(unlike(np.concatenate([TRAINING, TRAINING[:2]])), TRAINING)


def test_each_image_that_is_let_out_has_the_distance_to_the_nearest_of_all():
    found = nearest_of_all(OUTCOMES, {"none": Archive()}, TRAINING).set_index("prompt_id")
    assert found.loc[1, "distance"] == pytest.approx(0.05, abs=1e-4)
    assert found.loc[2, "distance"] > 0.3
    assert np.isnan(found.loc[3, "distance"])  # no such image


def test_what_is_withheld_is_no_copy_and_calibration_prompts_do_not_count():
    nearest = nearest_of_all(OUTCOMES, {"none": Archive()}, TRAINING)
    table = count_kinds(OUTCOMES, nearest, PROMPTS, 0.12, (20, 0.95, 0))
    counts = table.set_index(["policy", "kind", "measure"])["count"]
    assert counts["none", "full", "copies let out"] == 1
    assert counts["check", "full", "copies let out"] == 0
    assert counts["check", "full", "withheld"] == 1
    assert table[table["kind"] == "held_out"]["n"].eq(1).all()
