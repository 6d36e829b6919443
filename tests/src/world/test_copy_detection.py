"""SSCD's two losses beside naive loops, and a training that resumes and that learns to find copies."""

import math

import numpy as np
import pytest
import torch

from verbatim.world.copy_detection import (
    contrastive_loss,
    entropy_loss,
    normalize,
    same_image,
    train_copy_network,
)
from verbatim.world.training import TrainingRun

SHOWN = torch.tensor([[0, 0], [1, 1], [2, 2], [0, 0], [1, 2], [2, 2]])  # the fifth view is mixed
SETTINGS = {
    "steps": 4, "batch": 6, "learning_rate": 2e-3, "channels": [8, 16], "dim": 8, "temperature": 0.1, "entropy": 2,
    "whiten": True,
}  # fmt: skip


def unit_vectors(n: int, d: int = 5) -> torch.Tensor:
    x = torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return torch.nn.functional.normalize(x, dim=1)


def test_views_that_share_one_of_their_images_are_of_one_image():
    same = same_image(SHOWN).tolist()
    for i, a in enumerate(SHOWN.tolist()):
        for j, b in enumerate(SHOWN.tolist()):
            assert same[i][j] == bool(set(a) & set(b))


def test_the_contrastive_loss_is_that_of_a_loop_over_pairs():
    vectors, same, t = unit_vectors(6), same_image(SHOWN), 0.05
    losses = []
    for i in range(6):
        others = sum(
            math.exp(float(vectors[i] @ vectors[k]) / t) for k in range(6) if not same[i, k]
        )
        for j in range(6):
            if j != i and same[i, j]:
                own = math.exp(float(vectors[i] @ vectors[j]) / t)
                losses.append(-math.log(own / (own + others)))
    assert float(contrastive_loss(vectors, same, t)) == pytest.approx(np.mean(losses), rel=1e-9)


def test_the_entropy_is_of_the_distance_to_the_nearest_view_of_another_image():
    vectors, same = unit_vectors(6), same_image(SHOWN)
    logs = [
        math.log(min(float((vectors[i] - vectors[k]).norm()) for k in range(6) if not same[i, k]))
        for i in range(6)
    ]
    assert float(entropy_loss(vectors, same)) == pytest.approx(-np.mean(logs), rel=1e-6)
    equal = vectors[:1].repeat(4, 1)  # a distance of 0 has a finite logarithm
    apart = torch.eye(4, dtype=torch.bool)
    assert float(entropy_loss(equal, apart)) == pytest.approx(-math.log(1e-3), rel=1e-3)


def test_the_gradient_of_the_entropy_pushes_neighbours_apart():
    vectors = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, -0.1]]), dim=1)
    vectors.requires_grad_()
    entropy_loss(vectors, torch.eye(2, dtype=torch.bool)).backward()
    assert (
        vectors.grad[0, 1] < 0 < vectors.grad[1, 1]
    )  # a step against it spreads the second coordinate


@pytest.fixture(scope="module")
def scenes() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def overlays() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (2, 24, 24, 4), dtype=np.uint8)


class Killed(Exception):
    pass


def test_a_training_that_was_killed_and_resumed_ends_in_the_same_network(
    tmp_path, scenes, overlays
):
    whole = train_copy_network(scenes, overlays, SETTINGS, TrainingRun(3)).state_dict()

    def die(step: int, *_: float) -> None:
        if step == 2:
            raise Killed

    checkpoint = tmp_path / "c.safetensors"
    with pytest.raises(Killed):
        train_copy_network(
            scenes, overlays, SETTINGS, TrainingRun(3, checkpoint=checkpoint, every=2, tell=die)
        )
    steps: list[int] = []
    again = TrainingRun(3, checkpoint=checkpoint, every=2, tell=lambda step, *_: steps.append(step))
    resumed = train_copy_network(scenes, overlays, SETTINGS, again).state_dict()
    assert steps == [2, 3]
    for name, tensor in whole.items():
        if name not in ("mean", "matrix"):
            assert torch.equal(tensor, resumed[name]), name
    # of the whitening an axis may point the other way
    torch.testing.assert_close(
        whole["matrix"].T @ whole["matrix"],
        resumed["matrix"].T @ resumed["matrix"],
        rtol=1e-3,
        atol=1e-3,
    )


def test_images_are_normalized_as_the_descriptors_preset_says(scenes):
    from verbatim.models.descriptor_preprocessing import Preset, prepare
    from verbatim.world.copy_detection import describe_config

    told = describe_config(SETTINGS, 16)
    preset = Preset(square=told["size"], mean=tuple(told["mean"]), std=tuple(told["std"]))
    want = np.stack([prepare(one, preset) for one in scenes])
    np.testing.assert_allclose(normalize(scenes), want, atol=1e-6)
