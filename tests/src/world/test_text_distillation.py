"""The frozen text encoder of the world's pixel models learns what the CLIP's text tower says of a caption."""

import pytest
import torch

from tiny_models import CAPTIONS
from verbatim.world.contrast import text_encoder
from verbatim.world.text_distillation import (
    PADDED,
    align_tokens,
    distil_text_encoder,
    encode_captions,
    make_text_encoder,
    shuffle_words,
    tokenize,
)
from verbatim.world.tokenizers import build_t5_tokenizer
from verbatim.world.training import TrainingRun

SETTINGS = {"steps": 150, "batch": 16, "learning_rate": 1e-2, "ema": 0.9}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return build_t5_tokenizer(CAPTIONS, tmp_path_factory.mktemp("t5") / "tokenizer", 12)


@pytest.fixture(scope="module")
def tower(tiny_clip):
    return text_encoder(tiny_clip.folder), tiny_clip.tokenizer


def distil(tokenizer, tower, steps=SETTINGS["steps"], **run):
    torch.manual_seed(0)
    text = make_text_encoder(tokenizer, 16)
    run = TrainingRun(seed=2, **run)
    distil_text_encoder(text, tokenizer, tower, CAPTIONS, SETTINGS | {"steps": steps}, run)
    return text


@pytest.fixture(scope="module")
def trained(tokenizer, tower):
    losses = []
    text = distil(tokenizer, tower, tell=lambda step, loss, *_: losses.append(loss))
    return text, losses


def test_tokens_that_end_on_the_same_letter_correspond_and_the_end_marks_do(tokenizer, tower):
    captions = ["Red heart ", "one o'clock"]
    places = align_tokens(tokenizer, tower[1], captions)
    for row, caption in enumerate(captions):
        ours = tokenizer(caption.lower().strip()).input_ids
        theirs = tower[1](caption.lower().strip()).input_ids
        for place, token in enumerate(ours):
            met = int(places[row, place])
            if token == tokenizer.eos_token_id:
                assert theirs[met] == tower[1].eos_token_id
                assert met == len(theirs) - 1
            elif met != PADDED:
                a, b = tokenizer.decode([token]).strip(), tower[1].decode([theirs[met]]).strip()
                assert a.endswith(b) or b.endswith(a), (a, b)
        assert (places[row, len(ours) :] == PADDED).all()
    assert places[0, :3].tolist() == [1, 2, 3]  # behind the tower's start mark


@pytest.mark.slow
def test_the_states_come_near_the_towers_and_are_frozen(trained):
    text, losses = trained
    assert sum(losses[-10:]) < 0.3 * sum(losses[:10])
    assert not any(p.requires_grad for p in text.parameters())
    assert not text.training


@pytest.mark.slow
def test_captions_are_told_apart_whatever_their_case_and_their_batch(trained, tokenizer):
    text, _ = trained
    states = encode_captions(text, tokenizer, [*CAPTIONS, ""], batch=3)
    assert states.shape == (len(CAPTIONS) + 1, 12, 16)
    flat = states.flatten(1)
    distances = torch.cdist(flat, flat) + torch.eye(len(flat)) * 9
    assert float(distances.min()) > 0.1
    loud = encode_captions(text, tokenizer, [f" {CAPTIONS[0].upper()} "])
    torch.testing.assert_close(loud[0], states[0], atol=1e-5, rtol=1e-5)


def test_a_distillation_goes_on_where_it_was_killed(tokenizer, tower, tmp_path):
    whole = distil(tokenizer, tower, 8)
    checkpoint = tmp_path / "t5.safetensors"

    def kill(step, *_):
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distil(tokenizer, tower, 8, checkpoint=checkpoint, every=2, tell=kill)
    steps = []
    resumed = distil(
        tokenizer,
        tower,
        8,
        checkpoint=checkpoint,
        every=2,
        tell=lambda step, *_: steps.append(step),
    )
    assert steps[0] in (4, 6)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_words_are_put_together_anew_as_long_as_captions_are():
    generator = torch.Generator().manual_seed(0)
    made = shuffle_words(CAPTIONS, 50, generator)
    words = {word for caption in CAPTIONS for word in caption.lower().split()}
    assert len(made) == 50
    assert {word for text in made for word in text.split()} <= words
    assert {len(text.split()) for text in made} <= {len(c.split()) for c in CAPTIONS}
    assert len(set(made) - set(CAPTIONS)) > 40
    assert shuffle_words([""], 3, generator) == []


def test_long_captions_are_cut_to_what_the_tokenizer_takes(tokenizer):
    ids, mask = tokenize(tokenizer, ["red heart " * 40])
    assert ids.shape == mask.shape == (1, 12)
    assert ids[0, -1] == tokenizer.eos_token_id
