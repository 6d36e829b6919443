"""The training loop: resumes exactly, refuses what is not its own, stops at a loss that is none."""

import math

import pytest
import torch
from torch import nn

from verbatim.world.training import (
    Trainer,
    TrainingError,
    TrainingRun,
    fingerprint,
    learning_rate,
    step_generator,
)

STEPS, EVERY = 9, 2


def make_trainer(checkpoint=None, ema=0.9, peak=0.05, data="a"):
    """A trainer of one random layer, and the loss of its step: a new batch each time."""
    torch.manual_seed(5)
    layer = nn.Linear(3, 2)
    trainer = Trainer(
        {"layer": layer},
        {"steps": STEPS, "learning_rate": peak, "ema": ema},
        TrainingRun(7, checkpoint=checkpoint, every=EVERY),
        data,
    )

    def loss_of(step, generator):
        x = torch.randn(4, 3, generator=generator)
        return (layer(x) - x[:, :2]).square().mean()

    return layer, trainer, loss_of


def train(trainer, loss_of, until=None):
    """Steps of a run that is killed after `until` of them; the steps it took."""
    taken = []
    for step, *_ in trainer.run(loss_of):
        taken.append(step)
        if len(taken) == until:
            return taken
    trainer.finish()
    return taken


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("killed_after", [3, 6])
def test_a_training_killed_and_resumed_ends_in_the_same_weights(tmp_path, ema, killed_after):
    whole, trainer, loss_of = make_trainer(ema=ema)
    assert train(trainer, loss_of) == list(range(STEPS))

    checkpoint = tmp_path / "folder" / "c.safetensors"
    _, trainer, loss_of = make_trainer(checkpoint, ema)
    train(trainer, loss_of, until=killed_after)
    resumed, trainer, loss_of = make_trainer(checkpoint, ema)
    last = killed_after // EVERY * EVERY
    assert train(trainer, loss_of) == list(range(last, STEPS))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize("other", [{"peak": 0.06}, {"ema": 0.8}, {"data": "b"}])
def test_a_checkpoint_of_another_configuration_is_not_resumed(tmp_path, other):
    checkpoint = tmp_path / "c.safetensors"
    _, trainer, loss_of = make_trainer(checkpoint)
    train(trainer, loss_of, until=4)
    assert make_trainer(checkpoint)[1].start == 4
    assert make_trainer(checkpoint, **other)[1].start == 0


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_checkpoint_is_named_and_the_training_starts_anew(tmp_path, damage, caplog):
    checkpoint = tmp_path / "c.safetensors"
    _, trainer, loss_of = make_trainer(checkpoint)
    train(trainer, loss_of, until=4)
    data = bytearray(checkpoint.read_bytes())
    data[-3] ^= 4  # in a weight
    checkpoint.write_bytes(data[:100] if damage == "cut" else data)
    assert make_trainer(checkpoint)[1].start == 0
    assert f"{checkpoint}: a damaged checkpoint" in caplog.text


def test_a_loss_that_is_no_number_stops_the_training_at_its_step(tmp_path):
    layer, trainer, loss_of = make_trainer(tmp_path / "c.safetensors")

    def broken(step, generator):
        return loss_of(step, generator) * (math.nan if step == 3 else 1.0)

    with pytest.raises(TrainingError, match="step 3: the loss is nan; lower the learning rate"):
        train(trainer, broken)
    assert all(torch.isfinite(p).all() for p in layer.parameters())


def test_the_average_of_the_weights_is_the_one_of_a_loop():
    layer, trainer, loss_of = make_trainer(ema=0.9)
    average = layer.weight.detach().clone()
    for step, *_ in trainer.run(loss_of):
        decay = min(0.9, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * layer.weight.detach()
    trainer.finish()
    torch.testing.assert_close(layer.weight.detach(), average, rtol=1e-5, atol=1e-6)
    assert not layer.training


def test_a_steps_numbers_depend_on_seed_and_step_alone():
    def draw(seed, step):
        return torch.rand(4, generator=step_generator(seed, step)).tolist()

    assert draw(1, 2) == draw(1, 2)
    assert len({tuple(draw(seed, step)) for seed in (1, 2) for step in (2, 3)}) == 4


def test_the_learning_rate_warms_up_and_falls_to_a_fiftieth():
    rates = [learning_rate(step, 200, 1.0) for step in range(200)]
    assert rates[0] == pytest.approx(1 / 50)
    assert max(rates) == rates[49] == rates[50] == 1.0
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[-1] == pytest.approx(0.02, abs=0.001)


def test_equal_things_have_equal_fingerprints_and_others_do_not():
    one = torch.arange(6.0)
    things = [one, one.view(2, 3), one.double(), one + 1, [one], {"a": 1}, {"a": 2}, "a"]
    assert fingerprint(one) == fingerprint(one.numpy())
    assert len({fingerprint(thing) for thing in things}) == len(things)
