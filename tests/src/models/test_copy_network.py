"""The small SSCD: vectors of single images, a whitening that whitens, and a folder that is loaded as it was written."""

import json

import numpy as np
import pytest
import torch

from verbatim.models.copy_network import CopyNetwork, save_network
from verbatim.models.descriptor_specs import DescriptorError, Spec
from verbatim.models.descriptors import load_descriptor

CONFIG = {"channels": [8, 16], "dim": 6, "whiten": True, "size": 16, "mean": [0.5] * 3, "std": [0.5] * 3}  # fmt: skip


def make_network(whiten: bool = True) -> CopyNetwork:
    torch.manual_seed(0)
    return CopyNetwork(CONFIG["channels"], CONFIG["dim"], whiten).eval()


def images(n: int, side: int = 16) -> torch.Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(1))


def test_the_vector_of_an_image_does_not_depend_on_its_batch():
    network, x = make_network(), images(5)
    with torch.no_grad():
        alone = torch.cat([network.train().raw(one[None]) for one in x])
        torch.testing.assert_close(network.raw(x), alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(alone.norm(dim=1), torch.ones(5))


def test_whitened_vectors_are_equally_wide_in_all_directions():
    network, x = make_network(), images(300)
    with torch.no_grad():
        network.set_whitening(network.raw(x))
        white = network(x)
    torch.testing.assert_close(white.mean(0), torch.zeros(6), rtol=0, atol=1e-3)
    torch.testing.assert_close(torch.cov(white.T), torch.eye(6), rtol=0, atol=2e-2)
    network.whiten = False
    with torch.no_grad():
        torch.testing.assert_close(network(x), network.raw(x))


def test_a_folder_is_loaded_as_a_descriptor_that_gives_the_networks_vectors(tmp_path):
    network = make_network()
    with torch.no_grad():
        network.set_whitening(network.raw(images(50)))
    save_network(tmp_path, network, CONFIG)
    detector = load_descriptor(Spec("sscd", "copy_network", str(tmp_path)))
    some = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    ready = torch.from_numpy((some.transpose(0, 3, 1, 2) / 255.0 - 0.5) / 0.5).float()
    with torch.no_grad():
        want = torch.nn.functional.normalize(network(ready), dim=1).numpy()
    found = detector.describe(list(some)).whole
    np.testing.assert_allclose(found, want, atol=1e-5)
    # an image of another size and shape is resampled to the network's square
    wide = np.repeat(np.repeat(some[0], 2, axis=0), 4, axis=1)
    assert float(detector.describe([wide]).whole[0] @ found[0]) > 0.9


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"config.json": "{}"}, "channels"),
        ({"config.json": json.dumps(CONFIG | {"dim": 7})}, "size mismatch"),
        ({"model.safetensors": "no weights"}, "SafetensorError"),
    ],
)
def test_a_folder_with_another_file_is_refused_by_key_file_and_cure(tmp_path, changed, told):
    save_network(tmp_path, make_network(), CONFIG)
    for name, text in changed.items():
        (tmp_path / name).write_text(text)
    spec = Spec("descriptor", "copy_network", str(tmp_path), block="labels.copies")
    with pytest.raises(
        DescriptorError, match=r"labels\.copies\.descriptor: .*fetch it again"
    ) as err:
        load_descriptor(spec)
    assert told in str(err.value)
