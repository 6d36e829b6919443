"""The world's CLIP: saved as open_clip saves, its text tower the one that the latent models start from."""

import numpy as np
import pytest
import torch

from tiny_models import CAPTIONS
from verbatim.models.clip import ClipEmbedder, ClipError, clip_tokens
from verbatim.world.contrast import text_encoder, train_clip
from verbatim.world.latent_training import tokenize
from verbatim.world.training import TrainingRun


def test_the_saved_clip_embeds_as_the_trained_one_does(tiny_clip, made_images):
    clip = ClipEmbedder(tiny_clip.folder)
    x = torch.from_numpy(made_images).permute(0, 3, 1, 2).float() / 127.5 - 1
    ids = clip_tokens(tiny_clip.tokenizer, CAPTIONS, 12)
    with torch.no_grad():
        images = tiny_clip.model.encode_image(x, normalize=True).numpy()
        texts = tiny_clip.model.encode_text(ids, normalize=True).numpy()
    got = clip.embed_images(made_images / np.float32(255), batch=4)
    np.testing.assert_allclose(got, images, atol=1e-5)
    np.testing.assert_allclose(clip.embed_texts(CAPTIONS, batch=3), texts, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-5)
    assert got.shape == (len(CAPTIONS), clip.dim)
    assert clip.embed_texts([]).shape == (0, clip.dim)


def test_images_of_another_size_are_resampled(tiny_clip):
    grey = np.full((2, 40, 24, 3), 0.5, np.float32)
    clip = ClipEmbedder(tiny_clip.folder)
    np.testing.assert_allclose(
        clip.embed_images(grey), clip.embed_images(grey[:, :16, :16]), atol=1e-4
    )


def test_the_text_encoder_has_the_hidden_states_of_open_clips_text_tower(tiny_clip):
    """Up to the end token of each caption; behind it stands padding, which nothing before it sees."""
    encoder = text_encoder(tiny_clip.folder).eval()
    model, ids = tiny_clip.model, clip_tokens(tiny_clip.tokenizer, CAPTIONS, 12)
    with torch.no_grad():
        x = model.token_embedding(ids) + model.positional_embedding
        x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask))
        ours = encoder(tokenize(tiny_clip.tokenizer, CAPTIONS)).last_hidden_state
    for i, end in enumerate(ids.argmax(1).tolist()):
        torch.testing.assert_close(ours[i, : end + 1], x[i, : end + 1], rtol=0, atol=1e-5)
    # and so is what open_clip reads off: the state at the end token
    with torch.no_grad():
        pooled = x[torch.arange(len(ids)), ids.argmax(1)] @ model.text_projection
        torch.testing.assert_close(pooled, model.encode_text(ids), rtol=0, atol=1e-5)


@pytest.mark.slow
def test_training_pulls_a_images_caption_towards_it(tiny_clip, made_images):
    settings = {"steps": 40, "batch": 16, "learning_rate": 3e-3, "width": 32, "embed_dim": 16}
    losses = []
    train_clip(
        made_images, CAPTIONS, tiny_clip.tokenizer, settings,
        TrainingRun(3, tell=lambda step, loss, rate, seconds: losses.append(loss)),
    )  # fmt: skip
    assert len(losses) == 40
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


@pytest.mark.parametrize("name", ["open_clip_config.json", "open_clip_model.safetensors"])
def test_an_incomplete_clip_folder_is_named(tmp_path, name):
    for other in {"open_clip_config.json", "open_clip_model.safetensors"} - {name}:
        (tmp_path / other).touch()
    with pytest.raises(ClipError, match=f"{tmp_path}: no {name}"):
        ClipEmbedder(tmp_path)
