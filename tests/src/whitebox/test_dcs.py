"""DCS and its kin against loops over single captions, over the bare networks."""

import math

import numpy as np
import pytest
import torch

from tiny_models import CAPTIONS, overflow_at, with_prediction
from verbatim.models.denoiser import NetworkError
from verbatim.models.load import load_denoiser
from verbatim.whitebox.dcs import dcs_scores, score_captions

SEEDS = [0, 3]


def naive_scores(d, caption, seed, guidance):
    """One caption, one seed: two calls of the bare network at the last timestep, sums in a loop."""
    noise = torch.randn((1, *d.shape), generator=torch.Generator().manual_seed(seed))
    sigma = d.sigma_max
    eps = []
    for text in ("", caption):
        x = noise * sigma
        with torch.no_grad():
            out = d.unet(
                x / math.sqrt(sigma**2 + 1), 999, encoder_hidden_states=d.encode([text]).states
            ).sample[:, : d.shape[0]]
        if d.prediction_type == "v_prediction":
            x0 = x / (sigma**2 + 1) - sigma / math.sqrt(sigma**2 + 1) * out
            out = (x - x0) / sigma
        eps.append(out.flatten().tolist())
    total = conditional = change = dot = length = 0.0
    for u, c in zip(*eps, strict=True):
        total += (u + guidance * (c - u)) ** 2
        conditional += c**2
        change += (c - u) ** 2
        dot += u * (c - u)
        length += u**2
    return {
        "dcs_reference": sigma**2 * total / len(eps[0]),
        "dcs_paper": sigma**2 * conditional,
        "wen_first_step": math.sqrt(change),
        "guidance_cosine": dot / math.sqrt(change * length),
    }


def collect(d, captions, batch, guidance=7.5):
    return {
        (captions[start + i], seed, name): float(value)
        for start, seed, scores in score_captions(d, captions, SEEDS, guidance, batch)
        for name, values in scores.items()
        for i, value in enumerate(values)
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "prediction_type"), [("sd", "epsilon"), ("sd", "v_prediction"), ("if", "epsilon")]
)
def test_scores_equal_a_loop_over_single_captions(
    family, prediction_type, tiny_sd, tiny_if, tmp_path
):
    folder = with_prediction({"sd": tiny_sd, "if": tiny_if}[family], tmp_path, prediction_type)
    d = load_denoiser(folder, family, "cpu")
    found = collect(d, CAPTIONS[:3], batch=2)
    assert len(found) == 3 * 2 * 4
    for caption in CAPTIONS[:3]:
        for seed in SEEDS:
            for name, value in naive_scores(d, caption, seed, 7.5).items():
                assert found[caption, seed, name] == pytest.approx(value, rel=1e-4, abs=1e-4)


@pytest.mark.slow
def test_a_caption_costs_one_row_a_seed_and_the_empty_one_is_shared(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    collect(d, CAPTIONS, batch=3)
    assert d.rows == len(CAPTIONS) * len(SEEDS) + len(SEEDS)


@pytest.mark.slow
def test_scores_do_not_depend_on_the_batch_the_order_or_the_shard(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    whole = collect(d, CAPTIONS, batch=256)
    parts = collect(d, CAPTIONS[:4], batch=1) | collect(d, CAPTIONS[:3:-1], batch=4)
    assert parts.keys() == whole.keys()
    assert len({round(v, 3) for (_, _, name), v in whole.items() if name == "wen_first_step"}) > 15
    for key, value in whole.items():
        assert parts[key] == pytest.approx(value, rel=1e-4, abs=1e-4)


def test_a_network_that_predicts_the_noise_itself_scores_the_null_level():
    noise = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    scores = dcs_scores(noise, noise, 14.6146, 7.5)
    assert scores["dcs_reference"][0] == pytest.approx(213.6, rel=0.03)
    assert scores["wen_first_step"][0] == 0
    assert scores["guidance_cosine"][0] == 0  # the caption changes nothing: no direction, not a NaN


def test_sums_keep_digits_that_half_precision_would_lose():
    eps = torch.ones(2, 4, 64, 64)
    eps[1] *= 1 + 1e-5
    scores = dcs_scores(eps, torch.zeros(1, 4, 64, 64), 14.6146, 7.5)["dcs_reference"]
    assert scores[1] / scores[0] == pytest.approx(1 + 2e-5, abs=1e-6)


def test_a_change_along_and_against_the_unconditional_prediction_has_cosine_1_and_minus_1():
    u = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    scores = dcs_scores(torch.cat([1.5 * u, 0.5 * u]), u, 2.0, 7.5)
    np.testing.assert_allclose(scores["guidance_cosine"], [1, -1], atol=1e-6)


def test_a_guidance_that_makes_another_score_of_it_is_refused(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    with pytest.raises(ValueError, match=r"whitebox\.guidance is 1\.0.*preset: paper"):
        collect(d, CAPTIONS, batch=3, guidance=1.0)
    with pytest.raises(ValueError, match=r"whitebox\.batch is 0"):
        collect(d, CAPTIONS, batch=0)
    assert d.rows == 0


def test_no_captions_cost_nothing(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    assert collect(d, [], batch=3) == {}
    assert d.rows == 0


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2, 3, 5])
def test_a_caption_that_overflows_has_no_score_and_spoils_no_neighbour(tiny_sd, batch):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    whole = collect(d, CAPTIONS[:5], batch=5)
    overflow_at(d, CAPTIONS[2])
    found = collect(d, CAPTIONS[:5], batch=batch)
    assert found.keys() == whole.keys()
    for (caption, seed, name), value in found.items():
        if caption == CAPTIONS[2]:
            assert math.isnan(value)
        else:
            assert value == pytest.approx(whole[caption, seed, name], rel=1e-4, abs=1e-4)


def test_a_network_that_overflows_without_a_caption_is_broken(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    overflow_at(d, "")
    with pytest.raises(
        NetworkError, match=r"without a caption is not finite.*in float32: the weig"
    ):
        collect(d, CAPTIONS[:3], batch=3)
