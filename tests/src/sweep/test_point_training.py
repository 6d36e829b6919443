"""A point's training: what it draws, what it is told, and that it can be killed and may fail."""

import made_sweep
import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from verbatim.sweep.point_training import (
    Captions,
    Diverged,
    Origins,
    PointSettings,
    TrainingRows,
    draw_rows,
    save_point,
    train_point,
)
from verbatim.world.contrast import text_encoder
from verbatim.world.training import TrainingRun, step_generator

POINT, TRAINING = made_sweep.POINT, made_sweep.TRAINING
TEXTS = [["red heart"], ["dog face", "cat face"], ["key"]]
LATENTS = torch.randn((3, 4, 8, 8), generator=torch.Generator().manual_seed(0))


def train(clip, texts=TEXTS, latents=LATENTS, weights=(1, 1, 1), training=TRAINING, **changes):
    origins = Origins(clip, changes.pop("base", None))
    point = POINT | changes.pop("point", {})
    constants = made_sweep.used("mitigations", point["mitigation"])
    rows = TrainingRows(latents, texts, np.array(weights, float))
    how = PointSettings(point, training, constants)
    return train_point(rows, how, origins, TrainingRun(5, **changes))


def weights_of(networks):
    return torch.cat([p.detach().flatten() for net in networks[:2] for p in net.parameters()])


def captions(clip, mitigation, texts=TEXTS, **constants):
    tokenizer = CLIPTokenizer.from_pretrained(clip, local_files_only=True)
    return Captions(
        tokenizer, texts, mitigation, made_sweep.used("mitigations", mitigation, **constants)
    )


def test_a_row_is_drawn_as_often_as_its_weight_says():
    weights = np.array([10.0, 1, 1, 8])
    cumulated = torch.from_numpy(np.cumsum(weights) / weights.sum())
    found = draw_rows(cumulated, 40_000, torch.Generator().manual_seed(1))
    shares = np.bincount(found.numpy(), minlength=4) / 40_000
    assert shares == pytest.approx(weights / weights.sum(), abs=0.01)


def test_a_row_without_weight_is_never_drawn():
    cumulated = torch.tensor([0.0, 0.5, 0.5, 1.0], dtype=torch.float64)
    found = draw_rows(cumulated, 1000, torch.Generator().manual_seed(1))
    assert set(found.tolist()) == {1, 3}


def test_a_draw_has_one_of_the_rows_captions_and_none_where_it_was_dropped(sweep_clip):
    words = captions(sweep_clip, "none")
    rows = torch.tensor([0, 1, 2] * 200)
    empty = rows == 2
    ids = words.draw(rows, empty, torch.Generator().manual_seed(0))
    tokenizer = words.tokenizer
    said = [tokenizer.decode(one, skip_special_tokens=True).strip() for one in ids]
    assert set(said[0::3]) == {"red heart"}
    assert set(said[2::3]) == {""}
    assert said[1::3].count("dog face") / 200 == pytest.approx(0.5, abs=0.1)
    assert set(said[1::3]) == {"dog face", "cat face"}


@pytest.mark.parametrize("mitigation", ["rc", "rt", "cwr"])
def test_a_mitigation_writes_captions_anew_at_each_draw(sweep_clip, mitigation):
    words = captions(sweep_clip, mitigation)
    plain = captions(sweep_clip, "none").tokens[:1]
    ids = words.draw(
        torch.zeros(300, dtype=torch.long), torch.zeros(300, dtype=torch.bool), step_generator(1, 1)
    )
    changed = (ids != plain).any(1)
    expected = {"rc": 0.4, "rt": 0.1, "cwr": 0.4}[mitigation]
    assert float(changed.float().mean()) == pytest.approx(expected, abs=0.1)
    assert len(torch.unique(ids, dim=0)) > (5 if mitigation != "cwr" else 2)


@pytest.mark.slow
def test_a_training_that_was_killed_ends_in_the_same_weights(sweep_clip, tmp_path):
    class Killed(Exception):
        pass

    def kill(step, *_):
        if step == 2:
            raise Killed

    whole = train(sweep_clip, point={"steps": 4})
    file = tmp_path / "state.safetensors"
    with pytest.raises(Killed):
        train(sweep_clip, point={"steps": 4}, checkpoint=file, every=2, tell=kill)
    steps = []
    again = train(
        sweep_clip,
        point={"steps": 4},
        checkpoint=file,
        every=2,
        tell=lambda step, *_: steps.append(step),
    )
    assert steps == [2, 3]
    assert torch.equal(weights_of(whole), weights_of(again))


@pytest.mark.slow
def test_points_that_differ_are_not_resumed_from_each_other(sweep_clip, tmp_path):
    file = tmp_path / "state.safetensors"
    train(sweep_clip, checkpoint=file, every=2)
    steps = []
    train(
        sweep_clip,
        point={"mitigation": "gn"},
        checkpoint=file,
        every=2,
        tell=lambda step, *_: steps.append(step),
    )
    assert steps == [0, 1, 2]


def test_a_frozen_text_encoder_stays_the_clips_and_a_trained_one_does_not(sweep_clip):
    before = torch.cat([p.flatten() for p in text_encoder(sweep_clip).parameters()])
    for kind, same in (("frozen", True), ("trained", False)):
        _, text, _ = train(sweep_clip, point={"text_encoder": kind})
        after = torch.cat([p.detach().flatten() for p in text.parameters()])
        assert torch.equal(before, after) == same


def test_noise_on_the_text_features_changes_the_training(sweep_clip):
    plain, noisy = train(sweep_clip), train(sweep_clip, point={"mitigation": "gn"})
    assert not torch.equal(weights_of(plain), weights_of(noisy))


def test_a_training_that_diverges_says_at_which_step(sweep_clip):
    with pytest.raises(Diverged, match=r"step \d: the loss is (nan|inf)"):
        train(sweep_clip, latents=LATENTS * float("inf"))


def test_a_network_that_knows_the_image_has_no_loss(sweep_clip, monkeypatch):
    """The target is v: with x0 = 0 it is sqrt(abar) eps, and noisy is sqrt(1 - abar) eps."""
    from verbatim.sweep import point_training
    from verbatim.world.latent_training import make_scheduler

    abar = make_scheduler().alphas_cumprod

    class Knows(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, noisy, t, states):
            a = abar[t].view(-1, 1, 1, 1)
            return type("Out", (), {"sample": self.scale * noisy * (a / (1 - a)).sqrt()})

    monkeypatch.setattr(point_training, "make_unet", lambda *_: Knows())
    losses = []
    settings = TRAINING | {"learning_rate": 1e-9}
    train(
        sweep_clip,
        latents=0 * LATENTS,
        training=settings,
        tell=lambda _, loss, *__: losses.append(loss),
    )
    assert losses == pytest.approx([0.0] * 3, abs=1e-6)


@pytest.mark.slow
def test_a_saved_point_is_loaded_as_a_model_that_predicts_v(sweep_clip, tmp_path):
    from diffusers import AutoencoderKL

    from verbatim.models.load import load_denoiser

    vae = AutoencoderKL.from_pretrained(made_sweep.make_vae(tmp_path / "vae"))
    save_point(tmp_path / "model", *train(sweep_clip), vae)
    denoiser = load_denoiser(tmp_path / "model", "sd", "cpu")
    assert denoiser.prediction_type == "v_prediction"
    assert (denoiser.shape, denoiser.size) == ((4, 8, 8), 16)
