"""Scores behind defences, beside the attack's own."""

import numpy as np
import pytest
from made_sweep import INFERENCE

from verbatim.detectors.definitions import DetectorSettings
from verbatim.detectors.scoring import Spent, score_prompts
from verbatim.metrics.edges import EdgePreset
from verbatim.mitigation.first_scores import ALL_SEEDS, ScoreSettings, score_asked
from verbatim.mitigation.protections import Constants, Protection
from verbatim.models.load import load_denoiser
from verbatim.whitebox.dcs import score_captions

PROMPTS = ["red heart", "black cat face", "open book"]
SEEDS = (0, 1)
NAMES = (
    "wen_ddim_1",
    "wen_ddim_2",
    "sharpness",
    "dsm_01",
    "dsm_12",
    "anisotropy",
    "anisotropy_cosine",
    "attention_entropy",
)
DETECTORS = DetectorSettings(
    scores=NAMES, seeds=SEEDS, steps=5, guidance=7.5, batch=8, gradient_batch=4,
    anisotropy={"epsilon": [1.0, 2.0]},
)  # fmt: skip
EDGES = EdgePreset(size=32, sobel="nd", threshold=3.0, agreement=0.5, guidance=3.0)
SETTINGS = ScoreSettings(7.5, EDGES, DETECTORS)


@pytest.fixture(scope="module")
def denoiser(tiny_sd):
    return load_denoiser(tiny_sd, "sd", "cpu")


def score(denoiser, name="none", prompts=PROMPTS, **constants):
    told = {"inference": INFERENCE} | constants
    protection = Protection(denoiser, name, Constants(**told))
    asked = {seed: protection.ask(prompts, [seed] * len(prompts)) for seed in SEEDS}
    noise = {seed: protection.start(one) for seed, one in asked.items()}
    return score_asked(protection, asked, noise, SETTINGS)


@pytest.mark.slow
def test_without_a_defence_they_are_the_scores_of_the_attack_and_of_the_detectors(denoiser):
    found = score(denoiser)
    for scored in score_captions(denoiser, PROMPTS, SEEDS, 7.5, 8):
        for name, values in scored.scores.items():
            np.testing.assert_allclose(
                found[name, scored.seed], values, rtol=1e-4, atol=5e-6
            )  # a cosine may be near 0
    for one in score_prompts(denoiser, PROMPTS, DETECTORS, Spent()):
        np.testing.assert_allclose(
            found[one.score, one.seed], one.values, rtol=2e-3, err_msg=one.score
        )
    assert {name for name, _ in found} == {
        *NAMES, "dcs_reference", "dcs_paper", "wen_first_step", "guidance_cosine", "ecs", "seed_consistency",
    }  # fmt: skip
    assert found["ecs", ALL_SEEDS].shape == (3,)


@pytest.mark.slow
def test_scores_are_read_at_the_noise_and_the_embedding_that_the_defence_leaves(denoiser):
    plain = score(denoiser)["wen_first_step", 0]
    quiet = score(denoiser, "noise", noise={"steps": 20, "rate": 0.05, "target": 0.0})[
        "wen_first_step", 0
    ]
    assert (quiet < plain).all()
    moved = score(denoiser, "gni")["wen_first_step", 0]
    assert (np.abs(moved - plain) > 1e-4).all()


@pytest.mark.slow
def test_anchored_guidance_changes_no_score_of_the_prompt_that_was_given(denoiser):
    plain = score(denoiser)
    prss = {"target": 0.0, "low": 0.01, "high": 0.02}
    found = score(denoiser, "prss", prss=prss)
    for key, values in plain.items():
        np.testing.assert_allclose(found[key], values, rtol=1e-3, err_msg=str(key))
