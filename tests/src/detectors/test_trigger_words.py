"""Which words of a tokenizer a search may propose, and what the energy of a prompt is."""

import numpy as np
import pytest

from tiny_models import CAPTIONS
from verbatim.detectors.trigger_energy import FirstStepEnergy
from verbatim.detectors.trigger_search import SearchSettings, run_chains
from verbatim.detectors.trigger_words import WordsError, list_words
from verbatim.models.load import load_denoiser
from verbatim.models.noise import unit_noise
from verbatim.models.sampling import first_eps
from verbatim.models.vocabulary import clip_tokenizer
from verbatim.world.tokenizers import build_clip_tokenizer


def test_words_are_tokens_that_the_tokenizer_gives_back_for_them(tmp_path):
    tokenizer = build_clip_tokenizer(CAPTIONS, tmp_path, max_length=16)
    words = list_words(tokenizer, 4)
    assert {"woman", "heart", "medium", "hand"} <= set(words)
    assert words == sorted(set(words))
    for word in words:
        assert word.isalpha()
        assert len(word) >= 4
        assert len(tokenizer(word, add_special_tokens=False).input_ids) == 1
    assert {"red", "man"} <= set(list_words(tokenizer, 3)) - set(words)


@pytest.mark.slow
def test_a_public_clip_tokenizer_has_tens_of_thousands_of_words(tmp_path):
    (tmp_path / "tokenizer").mkdir()
    text = '{"model_max_length": 77, "pad_token": "<|endoftext|>"}'
    (tmp_path / "tokenizer/tokenizer_config.json").write_text(text)
    words = list_words(clip_tokenizer(tmp_path, "tokenizer"), 3)
    assert len(words) > 20_000
    assert {"painting", "california", "photo"} <= set(words)
    assert not any(any(not letter.isalpha() for letter in word) for word in words)


def test_a_tokenizer_without_ends_of_words_is_told_with_the_cure():
    class Pieces:
        def get_vocab(self):
            return {"_red": 0, "_green": 1}

        def decode(self, ids):
            return "red"

    with pytest.raises(WordsError, match="CLIP tokenizer, whose words end in </w>"):
        list_words(Pieces(), 3)


def test_the_energy_is_the_squared_norm_of_what_the_prompt_changes_in_the_first_prediction(tiny_sd):
    denoiser = load_denoiser(tiny_sd, "sd", "cpu")
    noise = unit_noise(5, denoiser.shape)
    empty = first_eps(denoiser, denoiser.encode([""]), noise)
    wanted = [
        float((first_eps(denoiser, denoiser.encode([one]), noise) - empty).double().square().sum())
        for one in CAPTIONS
    ]
    before = denoiser.rows
    energy = FirstStepEnergy(denoiser, 3)
    np.testing.assert_allclose(energy(CAPTIONS, 5), wanted, rtol=1e-4)
    assert denoiser.rows - before == len(CAPTIONS) + 1  # one for all without a prompt
    assert (energy.tried, energy.broken) == (len(CAPTIONS), 0)


@pytest.mark.slow
def test_chains_on_a_network_are_the_same_in_any_batch(tiny_sd):
    denoiser = load_denoiser(tiny_sd, "sd", "cpu")
    words = list_words(denoiser.tokenizer, 3)
    settings = SearchSettings(3, 2, 3, 5, 0.1, 2, 0)
    one, other = (
        run_chains(FirstStepEnergy(denoiser, batch), words, range(3), settings) for batch in (64, 4)
    )
    assert [tried.prompt for tried in one] == [tried.prompt for tried in other]
    np.testing.assert_allclose([t.energy for t in one], [t.energy for t in other], rtol=1e-4)
