"""Every defence behind one interface, on a tiny model with random weights."""

import numpy as np
import pytest
import torch
from made_sweep import INFERENCE

from verbatim.config.defence_kinds import CHANGES
from verbatim.mitigation.protections import Constants, Protection
from verbatim.models.load import load_denoiser
from verbatim.models.noise import noise_of_seeds
from verbatim.models.sampling import Sampling, generate

HOW = Sampling(steps=2, guidance=3.0, sampler="euler")
PROMPTS = ["red heart", "black cat face"]
NOISE = {"steps": 3, "rate": 0.05, "target": 0.0}
PRSS = {"target": 1.0, "low": 0.01, "high": 0.02}


@pytest.fixture(scope="module")
def denoiser(tiny_sd):
    return load_denoiser(tiny_sd, "sd", "cpu")


def protect(denoiser, name, **changes):
    layer = next(
        one for one, _ in denoiser.unet.named_modules() if one.endswith("attn2") and "down" in one
    )
    # targets of 0 are never reached, so that all steps are taken
    constants = {
        "inference": INFERENCE | {"wen_target": 0.0}, "noise": NOISE, "sail": NOISE | {"weight": 0.05}, "prss": PRSS,
        "neurons": {layer: [0, 1, 2]},
    }  # fmt: skip
    return Protection(denoiser, name, Constants(**constants | changes))


def images(protection, prompts=PROMPTS, seeds=(0, 1)):
    with protection.active():
        asked = protection.ask(list(prompts), list(seeds))
        return protection.generate(asked, protection.start(asked), HOW)


def test_without_a_defence_generations_are_the_models_own(denoiser):
    theirs = {(i, seed): image for i, seed, image in generate(denoiser, PROMPTS, [0, 1], HOW, 4)}
    ours = images(protect(denoiser, "none"))
    np.testing.assert_allclose(ours[0], theirs[0, 0], atol=1e-4)
    np.testing.assert_allclose(ours[1], theirs[1, 1], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CHANGES if name != "none"])
def test_every_defence_changes_generations_and_leaves_the_model_as_it_was(denoiser, name):
    before = images(protect(denoiser, "none"))
    weights = {key: value.clone() for key, value in denoiser.unet.state_dict().items()}
    found = images(protect(denoiser, name))
    assert np.isfinite(found).all()
    assert np.abs(found - before).max() > 1e-3
    assert all(
        torch.equal(value, weights[key]) for key, value in denoiser.unet.state_dict().items()
    )
    np.testing.assert_array_equal(images(protect(denoiser, "none")), before)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CHANGES if name != "none"])
def test_a_generation_does_not_depend_on_those_beside_it(denoiser, name):
    together = images(protect(denoiser, name))
    alone = images(protect(denoiser, name), PROMPTS[1:], [1])
    np.testing.assert_allclose(together[1], alone[0], atol=2e-3)


@pytest.mark.parametrize("name", ["rt", "cwr", "rna", "prss", "padding"])
def test_an_embedding_that_is_handed_in_passes_what_changes_words_or_tokens(denoiser, name):
    protection, cond = protect(denoiser, name), denoiser.encode(PROMPTS)
    asked = protection.hand_in(cond, [0, 1])
    torch.testing.assert_close(asked.cond.states, cond.states)
    found = protection.generate(asked, protection.start(asked), HOW)
    np.testing.assert_allclose(found, images(protect(denoiser, "none")), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gni", "wen"])
def test_an_embedding_that_is_handed_in_meets_what_changes_embeddings(denoiser, name):
    protection, cond = protect(denoiser, name), denoiser.encode(PROMPTS)
    asked = protection.hand_in(cond, [0, 1])
    assert (asked.cond.states - cond.states).abs().max() > 1e-3


def test_words_that_are_drawn_at_random_are_drawn_anew_for_each_generation(denoiser):
    asked = protect(denoiser, "rt").ask(["red heart"] * 4, [0, 1, 2, 3])
    assert len(set(asked.prompts)) > 1


@pytest.mark.slow
def test_noise_is_that_of_the_seed_unless_the_defence_moves_it(denoiser):
    plain = noise_of_seeds([0, 1], denoiser.shape)
    for name in CHANGES:
        protection = protect(denoiser, name)
        started = protection.start(protection.ask(PROMPTS, [0, 1]))
        assert torch.equal(started, plain) == (CHANGES[name] != "noise"), name


def test_an_unknown_defence_is_refused(denoiser):
    with pytest.raises(ValueError, match="'magic' is unknown; known: none, gni"):
        protect(denoiser, "magic")
