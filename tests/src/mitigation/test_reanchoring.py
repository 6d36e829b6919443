"""PRSS: paraphrases, and guidance that is anchored at the prompt that was given."""

import pytest
import torch

from verbatim.mitigation.reanchoring import (
    PARAPHRASES,
    Reanchored,
    Reanchoring,
    anchored_eps,
    choose_prompts,
    paraphrase,
)
from verbatim.models.load import load_denoiser
from verbatim.models.sampling import guided_eps

# the public code's numbers: chenchen-usyd/BE-PRSS
HOW = Reanchoring(target=1.0, low=3.0, high=5.0)


@pytest.fixture(scope="module")
def denoiser(tiny_sd):
    return load_denoiser(tiny_sd, "sd", "cpu")


def eps(norm, n=1):
    change = torch.zeros(n, 1, 2, 2)
    change[:, 0, 0, 0] = norm
    return change


def test_up_to_the_lower_limit_guidance_is_the_usual_one_of_the_other_prompt():
    u, c, a = torch.full((1, 1, 2, 2), 0.5), torch.ones(1, 1, 2, 2), eps(2.9) + 0.5
    torch.testing.assert_close(anchored_eps(u, c, a, HOW, 7.5), u + 7.5 * (a - u))


@pytest.mark.parametrize(("norm", "scale"), [(3.0001, 1.0), (4.0, 4.25), (5.0, 7.5), (9.0, 7.5)])
def test_above_it_the_anchors_weight_rises_from_one_to_the_guidance_scale(norm, scale):
    """s = g (m - c) / (high - c) with c = (g low - high) / (g - 1): 1 at 3, 7.5 at 5, a line between them."""
    u, c = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    a = eps(norm)
    expected = c + scale * (a - c) + (7.5 - scale) * (a - u)
    torch.testing.assert_close(anchored_eps(u, c, a, HOW, 7.5), expected, atol=2e-3, rtol=1e-3)


def test_what_a_sampler_combines_is_the_anchored_prediction(denoiser):
    prompts, others = ["red heart", "open book"], ["heart", "waving hand"]
    anchors, cond, empty = (denoiser.encode(one) for one in (prompts, others, [""]))
    x = torch.randn(2, *denoiser.shape, generator=torch.Generator().manual_seed(0)) * 5
    how = Reanchoring(target=0.1, low=0.1, high=50.0)
    network = Reanchored(denoiser, anchors, torch.tensor([True, False]), how, 3.0)
    found = guided_eps(network, x, 5.0, cond, empty, 3.0)
    u, c, a = (denoiser.predict(x, 5.0, one) for one in (empty.repeat(2), anchors, cond))
    expected = torch.stack([anchored_eps(u, c, a, how, 3.0)[0], (u + 3.0 * (a - u))[1]])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_only_the_replaced_prompts_cost_a_third_row(denoiser):
    cond, empty = denoiser.encode(["red heart", "open book"]), denoiser.encode([""])
    x = torch.zeros(2, *denoiser.shape)
    for replaced, rows in (([False, False], 4), ([True, False], 5), ([True, True], 6)):
        network = Reanchored(denoiser, cond, torch.tensor(replaced), HOW, 3.0)
        before = denoiser.rows
        guided_eps(network, x, 5.0, cond, empty, 3.0)
        assert denoiser.rows - before == rows


@pytest.mark.slow
def test_a_prompt_is_replaced_only_above_the_limit(denoiser):
    prompts = ["red heart", "black cat face"]
    assert choose_prompts(denoiser, prompts, Reanchoring(0.0, 1e9, 2e9)) == prompts
    found = choose_prompts(denoiser, prompts, Reanchoring(0.0, 0.0, 1.0))
    assert all(one in paraphrase(prompt) for one, prompt in zip(found, prompts, strict=True))
    first = choose_prompts(denoiser, prompts, Reanchoring(1e9, 0.0, 1.0))
    assert first == [paraphrase(prompt)[0] for prompt in prompts]
    assert choose_prompts(denoiser, [], HOW) == []


def test_paraphrases_are_many_and_a_function_of_the_prompt():
    found = paraphrase("black cat face")
    assert len(found) == PARAPHRASES
    assert found == paraphrase("black cat face")
    assert "black cat face" not in found
    words = {"black", "cat", "face"}
    assert all(len(words & set(one.split())) == 2 for one in found)


def test_without_guidance_it_is_refused(denoiser):
    cond = denoiser.encode(["red heart"])
    with pytest.raises(ValueError, match="leave prss out"):
        Reanchored(denoiser, cond, torch.tensor([True]), HOW, 1.0)
