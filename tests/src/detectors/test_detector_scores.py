"""Detectors against loops over single captions and seeds, on checkpoints that diffusers made."""

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from naive_detectors import WEIGHTS, Naive

from tiny_models import CAPTIONS, make_if, make_sd, overflow_at, with_prediction
from verbatim.detectors import definitions, registry
from verbatim.detectors.definitions import DETECTORS, DetectorSettings, keep_defined, undefined
from verbatim.detectors.evaluations import step_levels
from verbatim.detectors.scoring import Spent, score_prompts
from verbatim.detectors.token_attribution import attribute_tokens, join_words
from verbatim.models.cross_attention import finest_layers, half_layer, list_layers
from verbatim.models.denoiser import NetworkError
from verbatim.models.load import load_denoiser
from verbatim.world.tokenizers import build_clip_tokenizer

SEEDS = (0, 3)
STEPS = 6
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def sd(tiny_sd):
    """A denoiser that no test changes; what it has counted before is taken off."""
    return load_denoiser(tiny_sd, "sd", "cpu")


def settings(scores, **changes):
    how = {
        "seeds": SEEDS,
        "steps": STEPS,
        "guidance": 7.5,
        "batch": 3,
        "gradient_batch": 2,
        "anisotropy": WEIGHTS,
    }
    return DetectorSettings(scores=tuple(scores), **{**how, **changes})  # fmt: skip


def collect(d, captions, scores, spent=None, **changes):
    """(caption, seed, score) -> value."""
    return {
        (captions[found.start + i], found.seed, found.score): float(value)
        for found in score_prompts(d, captions, settings(scores, **changes), spent or Spent())
        for i, value in enumerate(found.values)
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "prediction_type"), [("sd", "epsilon"), ("sd", "v_prediction"), ("if", "epsilon")]
)
def test_every_score_equals_a_loop_over_single_captions_and_seeds(
    family, prediction_type, tmp_path
):
    # a small image: the plain loop has a column of the Jacobian for each number of it
    make, size = (make_sd, 16) if family == "sd" else (make_if, 8)
    folder = make(tmp_path / "small", size)
    folder = with_prediction(folder, tmp_path, prediction_type)
    d = load_denoiser(folder, family, "cpu")
    if family == "if":
        d.threshold = lambda x0: x0  # of the pipeline's sampler, which the plain DDIM below has not
    scores = [name for name in keep_defined(DETECTORS, family) if name != "nemo_ssim"]
    found = collect(d, CAPTIONS[:2], scores)
    for caption, seed in zip(CAPTIONS[:2], SEEDS, strict=True):
        naive = Naive(d, folder, caption, seed, STEPS)
        wanted = naive.scores()
        if family == "sd":
            wanted |= naive.attention_scores(half_layer(d.unet), finest_layers(d.unet))
        assert set(wanted) == set(scores)
        for name, value in wanted.items():
            assert found[caption, seed, name] == pytest.approx(value, rel=1e-4, abs=1e-4), name


@pytest.mark.slow
def test_the_steps_are_those_of_the_public_code(sd):
    t = sd.sigma_to_t(torch.tensor(step_levels(sd, 50), dtype=torch.float64)).tolist()
    assert t == pytest.approx(list(range(981, 0, -20)))
    with pytest.raises(ValueError, match=r"detectors\.steps is 1000; expected 1 to 999"):
        step_levels(sd, 1000)


@pytest.mark.slow
def test_nemo_ssim_is_the_highest_of_all_pairs_of_seeds(tmp_path):
    from torchmetrics.image import MultiScaleStructuralSimilarityIndexMeasure

    folder = make_sd(tmp_path / "sd", 64)
    d = load_denoiser(folder, "sd", "cpu")
    seeds = (0, 1, 2)
    found = collect(d, CAPTIONS[:3], ["nemo_ssim"], seeds=seeds, batch=2)
    for caption in CAPTIONS[:3]:
        deltas = []
        for seed in seeds:
            naive = Naive(d, folder, caption, seed, 6)
            with torch.no_grad():
                delta = naive.eps(naive.noise, naive.t[1], naive.told) - naive.noise
            for channel in delta[0]:
                channel -= channel.min().item()
                channel /= channel.max().item()
            deltas.append(delta)
        best = -1.0
        for i in range(3):
            for j in range(i):
                measure = MultiScaleStructuralSimilarityIndexMeasure(
                    kernel_size=3, sigma=1.5 * 3 / 11, betas=(0.33,) * 3, data_range=1.0, normalize="relu"
                )  # fmt: skip
                best = max(best, float(measure(deltas[i], deltas[j])))
        assert found[caption, -1, "nemo_ssim"] == pytest.approx(best, abs=1e-4)
        assert 0 < best < 1


def test_a_single_seed_or_a_small_latent_has_nothing_to_compare(sd):
    # a latent of 8: no room for three scales
    assert all(map(math.isnan, collect(sd, CAPTIONS[:2], ["nemo_ssim"]).values()))


@pytest.mark.slow
def test_scores_do_not_depend_on_the_batch_or_on_what_else_is_computed(sd):
    scores = list(registry.OF_ONE_SEED)
    whole = collect(sd, CAPTIONS[:5], scores, batch=5, gradient_batch=5)
    parts = collect(sd, CAPTIONS[:5], scores, batch=2, gradient_batch=1)
    alone = {}
    for name in scores:
        alone |= collect(sd, CAPTIONS[:5], [name], batch=4, gradient_batch=3)
    assert parts.keys() == alone.keys() == whole.keys()
    for key, value in whole.items():
        assert parts[key] == pytest.approx(value, rel=1e-4, abs=1e-4)
        assert alone[key] == pytest.approx(value, rel=1e-4, abs=1e-4)
        assert len({round(whole[c, key[1], key[2]], 5) for c in CAPTIONS[:5]}) > 1, key


def spend(d, captions, names):
    """Network rows and derivatives of these scores."""
    before, spent = d.rows, Spent()
    collect(d, captions, names, spent)
    return np.array([d.rows - before, spent.derivatives])


@pytest.mark.slow
@pytest.mark.parametrize("name", DETECTORS)
def test_a_score_alone_costs_what_is_said_of_it(name, sd):
    """Three more prompts cost three times what one costs: what all prompts share is in both."""
    more = spend(sd, CAPTIONS[:4], [name]) - spend(sd, CAPTIONS[:1], [name])
    said = DETECTORS[name]
    assert (more / (3 * len(SEEDS))).tolist() == [said.rows(STEPS), said.derivatives]


@pytest.mark.slow
def test_all_scores_together_share_their_rows(sd):
    rows, derivatives = spend(sd, CAPTIONS[:4], list(DETECTORS))
    prompts = 4 * len(SEEDS)
    # a generation, both products of sharpness, J_u^T of each, the low step of anisotropy, the second of nemo_ssim
    assert rows == prompts * (2 * STEPS - 1 + 2 + 1 + 1 + 1) + len(SEEDS) * 3
    assert derivatives == prompts * (2 + 2 + 1) + len(SEEDS)


def test_a_score_that_a_family_does_not_have_is_named_with_the_reason():
    assert set(undefined(DETECTORS, "if")) == {
        "attention_entropy",
        "attention_entropy_late",
        "bright_ending",
    }
    assert "end-of-text" in undefined(["bright_ending"], "if")["bright_ending"]
    assert keep_defined(DETECTORS, "flow") == ("x0_change",)
    assert "eps is x" in undefined(["wen"], "flow")["wen"]
    assert keep_defined(DETECTORS, "sdxl") == tuple(DETECTORS)


@pytest.mark.slow
def test_a_caption_that_overflows_has_no_score_and_spoils_no_neighbour(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    scores = ["wen_ddim_2", "dsm_01", "anisotropy", "attention_entropy", "hessian_difference"]
    whole = collect(d, CAPTIONS[:3], scores)
    overflow_at(d, CAPTIONS[1])
    for (caption, seed, name), value in collect(d, CAPTIONS[:3], scores).items():
        if caption != CAPTIONS[1]:
            assert value == pytest.approx(whole[caption, seed, name], rel=1e-4, abs=1e-4)
        elif name != "attention_entropy":  # what the network attends to is finite all the same
            assert math.isnan(value), name


def test_a_network_that_overflows_without_a_caption_is_broken(tiny_sd):
    d = overflow_at(load_denoiser(tiny_sd, "sd", "cpu"), "")
    with pytest.raises(NetworkError, match="without a caption is not finite"):
        collect(d, CAPTIONS[:2], ["wen_ddim_1"])


def test_no_prompts_or_no_scores_cost_nothing(sd):
    before = sd.rows
    assert collect(sd, [], ["wen"]) == collect(sd, CAPTIONS, []) == {}
    assert sd.rows == before


def test_reading_attention_changes_no_prediction(sd):
    plain = collect(sd, CAPTIONS[:3], ["wen_ddim_1"])
    both = collect(sd, CAPTIONS[:3], ["wen_ddim_1", "attention_entropy"])
    assert {key: both[key] for key in plain} == plain


def test_the_layers_are_those_that_the_public_code_reads_in_stable_diffusion_1():
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel(
        sample_size=16, block_out_channels=(8, 8, 8, 8), layers_per_block=2, norm_num_groups=4,
        cross_attention_dim=8, attention_head_dim=4,
    )  # fmt: skip
    down = [name for name in list_layers(unet) if name.startswith("down")]
    assert len(list_layers(unet)) == 16
    assert half_layer(unet) == down[3] == "down_blocks.1.attentions.1.transformer_blocks.0.attn2"
    assert finest_layers(unet) == down[:2]


def test_every_detector_is_computed_and_can_be_asked_for():
    assert {*registry.OF_ONE_SEED, "nemo_ssim"} == set(definitions.DETECTORS)
    schema = json.loads((ROOT / "workflow/schemas/config.schema.json").read_text("utf-8"))
    asked = schema["properties"]["detectors"]["properties"]["scores"]["items"]["enum"]
    assert asked == list(DETECTORS)


@pytest.mark.slow
def test_the_change_of_a_rectified_flow_equals_a_loop(tmp_path):
    from tiny_pipelines import make_sd3

    pipeline = make_sd3(tmp_path / "sd3", tmp_path / "scratch")
    d = load_denoiser(tmp_path / "sd3", "flow", "cpu")
    found = collect(d, CAPTIONS[:2], ["x0_change"], seeds=(1,), guidance=3.0)
    pipeline.scheduler.set_timesteps(STEPS)
    levels = pipeline.scheduler.sigmas.tolist()
    for caption in CAPTIONS[:2]:
        told, empty = d.encode([caption]), d.encode([""])
        x = torch.randn((1, *d.shape), generator=torch.Generator().manual_seed(1))
        norms = []
        for now, after in pairwise(levels):
            c, u = d.predict(x, now, told), d.predict(x, now, empty)
            norms.append(now * float((c - u).norm()))
            x = x + (after - now) * (u + 3.0 * (c - u))
        assert found[caption, 1, "x0_change"] == pytest.approx(np.mean(norms), rel=1e-4)
        assert np.mean(norms) > 0


def test_the_pieces_of_a_word_are_joined_to_the_word_of_the_caption(tmp_path):
    tokenizer = build_clip_tokenizer(["the red lamp"], tmp_path)  # other words are in pieces
    tokens = tokenizer.tokenize("The réd lamppost, 2!")
    words = join_words(tokenizer, tokens)
    assert len(words) == len(tokens) > 6
    assert list(dict.fromkeys(words)) == list(enumerate(["the", "réd", "lamppost", ",", "2", "!"]))
    assert join_words(tokenizer, ["la", "mp"]) == [(0, "la"), (1, "mp")]  # no end of a word


@pytest.mark.slow
def test_the_gradient_at_each_token_equals_central_differences(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    found = list(attribute_tokens(d, CAPTIONS[:3], [0, 3], STEPS, 2))
    assert [one.number for one in found] == [0, 1, 2]
    assert d.rows == 2 * (3 + 1)
    assert [token.removesuffix("</w>") for token in found[0].tokens] == CAPTIONS[0].split()
    assert found[0].words == list(enumerate(CAPTIONS[0].split()))
    caption, expected = CAPTIONS[1], []
    d.unet = d.unet.double()
    for place in range(1, 1 + len(found[1].tokens)):
        norms = []
        for seed in (0, 3):
            naive = Naive(d, tiny_sd, caption, seed, STEPS)
            states, empty, noise = naive.told.double(), naive.empty.double(), naive.noise.double()
            plain = naive.eps(noise, naive.t[0], empty)
            slopes = []
            for channel in range(states.shape[2]):
                ends = []
                for sign in (1, -1):
                    moved = states.clone()
                    moved[0, place, channel] += sign * 1e-4
                    ends.append(float((naive.eps(noise, naive.t[0], moved) - plain).norm()))
                slopes.append((ends[0] - ends[1]) / 2e-4)
            norms.append(math.hypot(*slopes))
        expected.append(sum(norms) / 2)
    assert found[1].gradients == pytest.approx(expected, rel=1e-4)
    assert len({round(value, 5) for value in expected}) == len(CAPTIONS[1].split())


@pytest.mark.slow
def test_all_scores_are_defined_for_sdxl(tmp_path):
    from tiny_pipelines import make_sdxl

    make_sdxl(tmp_path / "sdxl", tmp_path / "scratch")
    d = load_denoiser(tmp_path / "sdxl", "sdxl", "cpu")
    scores = [name for name in DETECTORS if name != "nemo_ssim"]
    found = collect(d, CAPTIONS[:2], scores, seeds=(0,))
    assert np.isfinite(list(found.values())).all()
