"""Defences of a prompt: which words change, which code, and that the model's own stays reachable."""

from pathlib import Path

import made_sweep
import pytest
import torch
import yaml

from verbatim.config.sweep_points import MITIGATION_CONSTANTS
from verbatim.mitigation import defences
from verbatim.mitigation.defences import Defended, change_norms, change_prompt, optimize_codes
from verbatim.models.load import load_denoiser
from verbatim.whitebox.dcs import score_captions

CONSTANTS = made_sweep.INFERENCE
CONFIG = yaml.safe_load((Path(__file__).parents[3] / "config/config.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def denoiser(tiny_sd):
    return load_denoiser(tiny_sd, "sd", "cpu")


def defend(denoiser, defence, seed=0, **changes):
    return Defended(denoiser, defence, made_sweep.used("inference", defence, **changes), seed)


@pytest.mark.parametrize("defence", ["rt", "cwr", "rna"])
def test_a_prompts_words_are_changed_by_its_seed_alone(defence):
    constants = made_sweep.used("inference", defence)
    found = {change_prompt("black cat face", defence, constants, seed) for seed in range(200)}
    assert len(found) > 10
    assert change_prompt("black cat face", defence, constants, 3) in found
    again = [change_prompt("black cat face", defence, constants, 3) for _ in range(2)]
    assert again[0] == again[1]


@pytest.mark.parametrize("defence", ["rt", "cwr", "rna"])
def test_every_prompt_gets_exactly_four_edits(defence):
    """somepago/DCR, sd_mitigation.py: each of four passes inserts; none is left to chance."""
    constants = CONFIG["mitigation"]["inference"]
    used = {name: constants[name] for name in MITIGATION_CONSTANTS["inference"][defence]}
    for seed in range(300):
        words = change_prompt("black cat face", defence, used, seed).split()
        assert len(words) == 3 + 4
        if defence == "cwr":
            assert set(words) == {"black", "cat", "face"}
        if defence == "rna":
            numbers = [int(word) for word in words if word.isdigit()]
            assert len(numbers) == 4
            assert max(numbers) < 100_000


@pytest.mark.parametrize("defence", ["none", "gni", "wen"])
def test_a_defence_of_the_code_leaves_the_words(defence):
    assert change_prompt("black cat face", defence, CONSTANTS, 3) == "black cat face"


def test_without_a_defence_the_code_is_the_models(denoiser):
    captions = ["red heart", "open book", ""]
    assert torch.equal(
        defend(denoiser, "none").encode(captions).states, denoiser.encode(captions).states
    )


def test_noise_on_the_code_is_a_tenth_and_the_same_for_the_same_prompt(denoiser):
    own = denoiser.encode(["red heart"]).states
    noises = [
        defend(denoiser, "gni", seed).encode(["red heart"]).states - own for seed in range(40)
    ]
    assert torch.stack(noises).std().item() == pytest.approx(0.1, rel=0.1)
    assert torch.equal(noises[3], defend(denoiser, "gni", 3).encode(["red heart"]).states - own)


@pytest.mark.parametrize("defence", ["none", "rt", "cwr", "rna", "wen"])
def test_the_empty_prompt_has_no_words_to_defend(denoiser, defence):
    found = defend(denoiser, defence).encode(["red heart", ""]).states[1]
    assert torch.equal(found, denoiser.encode([""]).states[0])
    assert torch.equal(defend(denoiser, defence).encode_empty([5, 6]).states[0], found)


def test_noise_on_the_code_reaches_the_empty_prompt_a_generation_at_a_time(denoiser):
    """somepago/DCR adds it to both halves of the guided forward."""
    empty = denoiser.encode([""]).states
    noises = defend(denoiser, "gni").encode_empty(range(40)).states - empty
    assert noises.std().item() == pytest.approx(0.1, rel=0.1)
    assert not torch.equal(noises[0], noises[1])
    again = defend(denoiser, "gni").encode_empty([1]).states - empty
    assert torch.equal(again[0], noises[1])


def test_changed_words_are_what_the_model_reads(denoiser):
    defended = defend(denoiser, "cwr", 5)
    prompt = change_prompt("open book", "cwr", CONSTANTS, 5)
    assert prompt != "open book"
    assert torch.equal(defended.encode(["open book"]).states, denoiser.encode([prompt]).states)


def test_the_norm_is_that_of_the_white_box_scores(denoiser):
    """Beside `whitebox.dcs`, which works it out without gradients, seed by seed."""
    found = change_norms(denoiser, denoiser.encode(["red heart", "man cook"]))
    total = sum(
        torch.tensor(part.scores["wen_first_step"])
        for part in score_captions(denoiser, ["red heart", "man cook"], defences.WEN_SEEDS, 7.5, 8)
    )
    assert (total / len(defences.WEN_SEEDS)).tolist() == pytest.approx(found.tolist(), rel=1e-4)


def test_an_optimised_code_says_less_than_it_did_and_one_below_the_target_is_left(denoiser):
    code = denoiser.encode(["red heart", "waving hand"])
    before = change_norms(denoiser, code)
    target = float(before.mean())
    assert before.min() < target < before.max()
    moved = optimize_codes(denoiser, code, target, steps=60, rate=0.05)
    after = change_norms(denoiser, moved)
    above = before > target
    assert (after[above] <= target * 1.001).all()
    assert torch.equal(moved.states[~above], code.states[~above])


def test_no_steps_move_no_code(denoiser):
    code = denoiser.encode(["red heart"])
    assert torch.equal(optimize_codes(denoiser, code, 0.0, 0, 0.05).states, code.states)


def test_a_code_does_not_depend_on_the_prompts_beside_it(denoiser):
    alone = defend(denoiser, "wen").encode(["red heart"]).states[0]
    beside = defend(denoiser, "wen").encode(["open book", "red heart"]).states[1]
    assert torch.allclose(alone, beside, atol=1e-4)


def test_optimising_leaves_the_model_without_gradients(denoiser):
    defend(denoiser, "wen", wen_target=0.1).encode(["red heart"])
    assert all(p.grad is None and not p.requires_grad for p in denoiser.unet.parameters())


def test_an_unknown_defence_is_refused(denoiser):
    with pytest.raises(ValueError, match="'typo' is unknown; known: none, gni"):
        defend(denoiser, "typo")
