"""The padding fix, beside the text encoder of transformers asked by hand."""

import pytest
import torch

from verbatim.mitigation.padding import PAD, encode_without_ends
from verbatim.models.load import load_denoiser


@pytest.fixture(scope="module")
def denoiser(tiny_sd):
    return load_denoiser(tiny_sd, "sd", "cpu")


def test_states_are_those_of_other_padding_and_none_at_the_end(denoiser):
    tokenizer, encoder = denoiser.tokenizer, denoiser.text_encoder
    ids = tokenizer(["red heart"]).input_ids[0]
    padded = torch.tensor([ids + [PAD] * (denoiser.tokens - len(ids))])
    with torch.no_grad():
        expected = encoder(padded).last_hidden_state
    expected[0, len(ids) - 1] = 0
    found = encode_without_ends(denoiser, ["red heart", ""]).states
    torch.testing.assert_close(found[:1], expected, atol=1e-5, rtol=1e-5)
    own = denoiser.encode(["red heart"]).states
    torch.testing.assert_close(
        found[0, : len(ids) - 1], own[0, : len(ids) - 1], atol=1e-5, rtol=1e-5
    )
    assert (found[0, len(ids) :] - own[0, len(ids) :]).abs().max() > 1e-3


def test_the_empty_prompt_keeps_its_end(denoiser):
    found, own = encode_without_ends(denoiser, [""]).states, denoiser.encode([""]).states
    torch.testing.assert_close(found[0, :2], own[0, :2], atol=1e-5, rtol=1e-5)
    assert found[0, 1].abs().max() > 0


def test_a_prompt_that_fills_the_text_encoder_is_cut_and_loses_its_end(denoiser):
    found = encode_without_ends(denoiser, ["red heart " * 40]).states
    assert found[0, -1].abs().max() == 0
    assert found[0, -2].abs().max() > 0


def test_a_model_without_a_clip_encoder_is_told_what_to_leave_out():
    with pytest.raises(ValueError, match="leave padding out"):
        encode_without_ends(object(), ["red heart"])
