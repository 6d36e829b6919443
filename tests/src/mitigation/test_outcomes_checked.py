"""Distances, CLIP scores and Frechet distances of generations behind defences."""

import numpy as np
import pandas as pd
import pytest

from verbatim.io.images import ImageArchive, to_uint8, write_archive
from verbatim.mitigation.outcomes_checked import Judge, frechet_to_none

RNG = np.random.default_rng(0)
OWN = RNG.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
PROMPTS = pd.DataFrame(
    {"prompt_id": [50, 51, 52], "caption": ["a", "b", "c"], "image_id": [0, 1, 5]}
)


class Embedder:
    """An image's embedding is its mean colour, and every caption is red."""

    def embed_images(self, images, batch=256):
        mean = images.mean(axis=(1, 2))
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)

    def embed_texts(self, captions, batch=256):
        return np.tile(np.float32([1, 0, 0]), (len(captions), 1))


@pytest.fixture
def checked(tmp_path):
    """The training set has images 0 to 3. Generation 0 is image 0, 1 is image 2 for the prompt of image 1, 2 is missing."""
    far = RNG.random((8, 8, 3))
    members = [
        ("0.png", OWN[0]),
        ("1.png", OWN[2]),
        ("2.png", "no image"),
        ("3.png", to_uint8(far)),
    ]
    write_archive(tmp_path / "images.zip", members)
    made = pd.DataFrame(
        {"generation": range(4), "prompt_id": [50, 51, 51, 52], "seed": 0, "attack": "prompt"}
    )
    judge = Judge(PROMPTS, OWN, OWN[:4], Embedder())
    with ImageArchive(tmp_path / "images.zip") as archive:
        return (*judge.check(made, archive, 3), far)


def test_a_copy_of_the_own_image_is_told_from_one_of_another(checked):
    checks, _, far = checked
    assert checks["own"][0] == 0
    assert checks["nearest"][0] == pytest.approx(0, abs=1e-6)  # by a matrix product
    assert checks["own"][1] > 0.2
    assert checks["nearest"][1] == pytest.approx(0, abs=1e-6)
    expected = np.sqrt(((to_uint8(far) / 255 - OWN[:4] / 255) ** 2).mean(axis=(1, 2, 3))).min()
    assert checks["nearest"][3] == pytest.approx(expected, abs=1e-5)
    assert checks["own"][3] == pytest.approx(
        np.sqrt(((to_uint8(far) / 255 - OWN[5] / 255) ** 2).mean()), abs=1e-5
    )


def test_a_missing_image_has_no_number_and_the_others_have_theirs(checked):
    checks, vectors, _ = checked
    assert checks.loc[2, ["own", "nearest", "clip_score"]].isna().all()
    assert np.isnan(vectors[2]).all()
    mean = (OWN[0] / 255).mean(axis=(0, 1))
    assert checks["clip_score"][0] == pytest.approx(mean[0] / np.linalg.norm(mean), abs=1e-3)


@pytest.mark.slow
def test_each_defence_is_compared_with_none_and_none_with_other_seeds():
    rng = np.random.default_rng(1)
    n = 40
    lines = pd.DataFrame(
        [("none", "prompt", i % 4, 0) for i in range(n)] + [("none", "other seeds", i % 4, 1) for i in range(n)]
        + [("near", "prompt", i % 4, 0) for i in range(n)] + [("far", "prompt", i % 4, 0) for i in range(n)],
        columns=["defence", "attack", "prompt_id", "seed"],
    ).assign(nearest=0.5)  # fmt: skip
    plain = rng.normal(size=(n, 3))
    vectors = {
        "none": np.concatenate([plain, rng.normal(size=(n, 3))]), "near": plain + 0.01, "far": plain + 3.0,
    }  # fmt: skip
    vectors["far"][2] = 1e6  # prompt 2 is memorized: it must not count
    found = frechet_to_none(lines, vectors, {0, 1, 3}).set_index("defence")
    assert found["n_frechet"].tolist() == [30, 30, 30]
    assert found.loc["near", "frechet"] == pytest.approx(3 * 0.01**2, abs=1e-6)
    assert found.loc["far", "frechet"] == pytest.approx(27, rel=0.01)
    assert 0 < found.loc["none", "frechet"] < 3
