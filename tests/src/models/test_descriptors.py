"""Copy detectors: official preprocessing, one interface, and files that are refused before any work."""

import hashlib
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from verbatim.models.clip import ClipEmbedder
from verbatim.models.descriptor_preprocessing import HALF, IMAGENET, OPENAI, PRESETS, prepare
from verbatim.models.descriptor_specs import (
    DescriptorError,
    Spec,
    check_descriptors,
    check_spec,
    make_specs,
)
from verbatim.models.descriptors import cut, load_descriptor

RNG = np.random.default_rng(0)
BICUBIC = transforms.InterpolationMode.BICUBIC
OFFICIAL = {
    "sscd_288": ([transforms.Resize(288)], IMAGENET),
    "sscd_320": ([transforms.Resize([320, 320])], IMAGENET),
    "dino_224": ([transforms.Resize(256, BICUBIC), transforms.CenterCrop(224)], IMAGENET),
    "clip_224": ([transforms.Resize(224, BICUBIC), transforms.CenterCrop(224)], OPENAI),
    "somepalli_224": ([transforms.Resize(256), transforms.CenterCrop(224)], HALF),
}


def image(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("shape", [(40, 40), (50, 81), (301, 300)])
def test_a_preset_does_what_torchvisions_transforms_do(name, shape):
    steps, (mean, std) = OFFICIAL[name]
    one = image(*shape)
    official = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(mean, std)])
    want = official(Image.fromarray(one)).numpy()
    np.testing.assert_allclose(prepare(one, PRESETS[name]), want, atol=1e-5)
    np.testing.assert_allclose(prepare(one / 255.0, PRESETS[name]), want, atol=1e-5)


class Colours(torch.nn.Module):
    """A detector whose vector is the mean colour; any size of image goes in."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean([2, 3])


@pytest.fixture(scope="module")
def script_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("sscd") / "sscd.torchscript.pt"
    torch.jit.script(Colours()).save(str(path))
    return path


def digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_torchscript_detector_describes_images_of_many_shapes_in_their_order(script_file):
    spec = Spec("sscd", "torchscript", str(script_file), "sscd_288", digest(script_file), chunks=2)
    images = [image(30, 30), image(30, 60), image(31, 30), image(30, 30)]
    found = load_descriptor(spec).describe(images, batch=2)
    for one, vector in zip(images, found.whole, strict=True):
        want = prepare(one, PRESETS["sscd_288"]).mean(axis=(1, 2))
        np.testing.assert_allclose(vector, want / np.linalg.norm(want), atol=1e-5)
    assert found.chunks.shape == (4, 2, 2)
    np.testing.assert_array_equal(found.chunks.reshape(4, 4)[:, :3], found.whole)
    assert load_descriptor(spec).describe([]).whole.shape[0] == 0


def test_the_worlds_detector_gives_the_vectors_of_its_clip_and_a_chunk_a_patch(sweep_clip):
    images = RNG.integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    detector = load_descriptor(Spec("clip", "open_clip", str(sweep_clip)))
    found = detector.describe(images, batch=2)
    want = ClipEmbedder(sweep_clip).embed_images(images.astype(np.float32) / 255)
    np.testing.assert_allclose(found.whole, want, atol=1e-5)
    assert found.chunks.shape[:2] == (5, 16)  # four by four patches
    np.testing.assert_allclose((found.chunks**2).sum((1, 2)), 1, atol=1e-5)


def test_a_timm_folder_is_read_by_its_config_and_its_tokens_are_the_chunks(tmp_path):
    import timm
    from safetensors.torch import save_file

    network = timm.create_model("test_vit", pretrained=False, num_classes=3)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    told = {"input_size": [3, 160, 160], "crop_pct": 0.95, "mean": HALF[0], "std": HALF[1]}
    config = {"architecture": "test_vit", "pretrained_cfg": told}
    (tmp_path / "config.json").write_text(json.dumps(config))
    detector = load_descriptor(Spec("dino", "timm", str(tmp_path)))
    assert (detector.preset.edge, detector.preset.crop) == (168, 160)
    found = detector.describe([image(40, 50), image(32, 32)])
    assert found.chunks.shape[1] == 100  # 160 / 16, squared, without the class token
    network.reset_classifier(0)
    x = torch.from_numpy(prepare(np.zeros((32, 32, 3), np.uint8), detector.preset))[None]
    with torch.no_grad():
        want = torch.nn.functional.normalize(network.eval()(x), dim=1).numpy()
    np.testing.assert_allclose(
        detector.describe([np.zeros((32, 32, 3), np.uint8)]).whole, want, atol=1e-5
    )
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "no_such_network"}))
    with pytest.raises(DescriptorError, match=r"descriptors\.dino: timm .* no network 'no_such"):
        load_descriptor(Spec("dino", "timm", str(tmp_path)))
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "test_vit2"}))
    with pytest.raises(DescriptorError, match=r"is not the weights of 'test_vit2'"):
        load_descriptor(Spec("dino", "timm", str(tmp_path)))


def test_the_dot_product_of_two_images_pixels_is_their_correlation_colour_by_colour():
    a, b = image(8, 8), image(8, 8)
    found = load_descriptor(Spec("pixels", "pixels", "")).describe([a, b])
    x, y = (one.astype(np.float64) - one.mean(axis=(0, 1)) for one in (a, b))
    want = (x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum())
    assert float(found.whole[0] @ found.whole[1]) == pytest.approx(want, abs=1e-5)
    assert found.chunks.shape == (2, 16, 12)
    first = x[:2, :2].transpose(2, 0, 1).ravel() / np.sqrt(
        (x**2).sum()
    )  # the square at the top left
    np.testing.assert_allclose(found.chunks[0, 0], first, atol=1e-5)
    assert load_descriptor(Spec("pixels", "pixels", "")).describe([image(6, 6)]).chunks.shape[
        :2
    ] == (1, 16)
    with pytest.raises(DescriptorError, match="kind 'pixels' reads nothing; empty it"):
        check_spec(Spec("pixels", "pixels", "a/file"))


def test_vectors_are_cut_into_equal_pieces_and_the_last_is_filled_with_nothing():
    pieces = cut(np.arange(10, dtype=np.float32).reshape(2, 5), 2)
    assert pieces.tolist() == [[[0, 1, 2], [3, 4, 0]], [[5, 6, 7], [8, 9, 0]]]


def test_a_torchscript_file_is_not_run_unless_it_is_the_one_that_is_stated(script_file):
    spec = Spec("sscd", "torchscript", str(script_file), "sscd_320", "0" * 64)
    for look in (check_spec, load_descriptor):
        with pytest.raises(
            DescriptorError, match=r"descriptors\.sscd: .*has the SHA-256 \w{64}, not 0"
        ):
            look(spec)
    check_spec(Spec("sscd", "torchscript", str(script_file), "sscd_320", digest(script_file)))


def test_what_cannot_be_loaded_is_refused_by_key_file_and_cure(tmp_path, script_file, sweep_clip):
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    cases = {
        Spec(
            "a", "sscd", "x"
        ): r"descriptors\.a\.kind is 'sscd'; one of open_clip, timm, torchscript, pixels",
        Spec("a", "open_clip", str(sweep_clip), "sscd"): r"a\.preset is 'sscd'; one of sscd_288",
        Spec("a", "torchscript", str(script_file), "own"): r"a\.preset is 'own'; one of sscd_288",
        Spec("a", "timm", "no/folder"): r"a\.source is 'no/folder', and there is nothing",
        Spec("a", "torchscript", str(tmp_path), "sscd_320"): "no TorchScript file",
        Spec("a", "torchscript", str(script_file), "sscd_320"): r"a\.sha256 is ''; .*sha256sum ",
        Spec("a", "torchscript", str(weights), "sscd_320", "0" * 64): "for weights alone take kind",
        Spec("a", "timm", str(sweep_clip)): r"has no config\.json; kind 'timm' wants a folder",
        Spec("a", "open_clip", str(tmp_path)): r"has no open_clip_config\.json",
    }
    for spec, words in cases.items():
        with pytest.raises(DescriptorError, match=words):
            check_spec(spec)


def test_the_files_of_all_detectors_are_known_before_any_is_loaded(script_file, sweep_clip):
    clip = {"kind": "open_clip", "source": "", "preset": "own"}
    sscd = {
        "kind": "torchscript", "source": str(script_file), "preset": "sscd_320", "sha256": digest(script_file),
    }  # fmt: skip
    measures = {
        "descriptors": {"clip": clip, "sscd": sscd}, "descriptor": "clip",
        "inception": {"source": "", "sha256": ""},
    }  # fmt: skip
    assert check_descriptors(measures) == [str(script_file)]
    assert make_specs(measures["descriptors"], "world/clip")[0].source == "world/clip"
    measures["descriptors"]["clip"] = {**clip, "source": str(sweep_clip)}
    assert len(check_descriptors(measures)) == 3
    measures["inception"] = {"source": str(script_file), "sha256": "0" * 64}
    with pytest.raises(DescriptorError, match=r"similarity\.inception: .*not 0"):
        check_descriptors(measures)
    with pytest.raises(DescriptorError, match="descriptor is 'dino'; descriptors has clip, sscd"):
        check_descriptors({**measures, "descriptor": "dino"})
    with pytest.raises(DescriptorError, match=r"descriptors\.sscd\.source is empty"):
        check_descriptors(
            {**measures, "descriptors": {"clip": clip, "sscd": {**sscd, "source": ""}}}
        )
