"""Whether inputs.clip made the embeddings of a source: tens of images and captions are embedded again."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from made_inputs import write_shard, write_tar
from made_paper import make_clip
from PIL import Image
from safetensors.torch import load_file, save_file

from verbatim.inputs.layouts import InputError
from verbatim.models.clip import ClipEmbedder

CAPTIONS = [f"caption {i} of many words" for i in range(40)]
SHARD = 10


def drawn(i: int) -> np.ndarray:
    """An image unlike the others, uint8 (32, 32, 3), smooth as photographs are."""
    coarse = np.random.default_rng(i).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC))


def jpeg(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).resize((64, 64), Image.Resampling.BICUBIC).save(out, "JPEG", quality=85)
    return out.getvalue()


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> tuple[Path, Path]:
    """A CLIP, and another of the same dimension: its weights' rows are in another order."""
    folder = tmp_path_factory.mktemp("clips")
    right = make_clip(folder / "right", CAPTIONS, dim=64)
    other = shutil.copytree(right, folder / "other")
    weights, order = (
        load_file(other / "open_clip_model.safetensors"),
        torch.Generator().manual_seed(9),
    )
    mixed = {
        k: v[torch.randperm(len(v), generator=order)].contiguous() if v.ndim > 1 else v
        for k, v in weights.items()
    }
    save_file(mixed, other / "open_clip_model.safetensors")
    return right, other


@pytest.fixture
def source(tmp_path, clips):
    """Four shards as clip-retrieval writes them, in float16; their images as JPEGs of twice the size."""
    clip = ClipEmbedder(clips[0])
    images = np.stack([drawn(i) for i in range(40)]).astype(np.float32) / 255
    vectors, texts = clip.embed_images(images), clip.embed_texts(CAPTIONS)
    vectors[3] = np.nan
    for number in range(4):
        rows = range(number * SHARD, (number + 1) * SHARD)
        keys = [f"{number:05d}{i:04d}" for i in range(SHARD)]
        captions = [CAPTIONS[i] for i in rows]
        array, _ = write_shard(tmp_path, number, vectors[rows], captions, key=keys)
        file = tmp_path / "text_emb" / array.name.replace("img", "text")
        file.parent.mkdir(exist_ok=True)
        np.save(file, texts[rows].astype(np.float16))
        members = {f"./{k}.jpg": jpeg(drawn(i)) for k, i in zip(keys, rows, strict=True)}
        write_tar(tmp_path / "data" / f"{number:05d}.tar", members)
    return tmp_path


def check(source, clip, run_script, images: bool = True) -> tuple[dict[str, list[str]], str]:
    """kind -> how many were compared and their median cosine; and the log."""
    tables = {
        "embeddings": sorted((source / "img_emb").iterdir()),
        "metadata": sorted((source / "metadata").iterdir()),
    }
    made = {name: source / f"{name}.tsv" for name in ("manifest", "archives")}
    run_script(
        "inputs/check_inputs.py", input=tables, output=made,
        params={"images": str(source / "data") if images else "", "most_missing": 0.5},
    )  # fmt: skip
    run_script(
        "inputs/check_clip.py",
        input={**made, "clip": clip / "open_clip_config.json"},
        output={"agreement": source / "clip.tsv"},
        params={"images": 16, "least": 0.95, "batch": 8},
    )
    lines = [line.split("\t") for line in (source / "clip.tsv").read_text().splitlines()]
    return {line[0]: line[1:] for line in lines[1:]}, (source / "job.log").read_text()


@pytest.mark.slow
def test_the_clip_that_made_the_embeddings_passes_after_float16_and_jpeg(source, clips, run_script):
    found, log = check(source, clips[0], run_script)
    assert found["image"][0] == found["caption"][0] == "16"
    assert float(found["image"][1]) > 0.98
    assert float(found["caption"][1]) > 0.9999
    assert "16 images compared" in log


def test_another_clip_of_the_same_dimension_is_refused_naming_both(source, clips, run_script):
    with pytest.raises(InputError) as error:
        check(source, clips[1], run_script)
    text = str(error.value)
    assert (
        f"img_emb_0000.npy are not those of {clips[1]} (inputs.clip): over 16 images the median"
        in text
    )
    assert "below 0.95 (row 0: " in text
    assert not (source / "clip.tsv").exists()


def test_captions_alone_tell_too_where_there_are_no_images(source, clips, run_script):
    found, _ = check(source, clips[0], run_script, images=False)
    assert (found["image"][0], found["caption"][0]) == ("0", "16")
    with pytest.raises(InputError, match="over 16 captions the median cosine is"):
        check(source, clips[1], run_script, images=False)


def test_without_images_and_captions_embeddings_the_log_says_that_nothing_is_known(
    source, clips, run_script
):
    shutil.rmtree(source / "text_emb")
    found, log = check(source, clips[1], run_script, images=False)
    assert [one[0] for one in found.values()] == ["0", "0"]
    assert f"it cannot be seen whether {clips[1]} made these embeddings" in log


def test_a_clip_of_another_dimension_is_refused_naming_both(source, tmp_path_factory, run_script):
    small = make_clip(tmp_path_factory.mktemp("small") / "clip", CAPTIONS, dim=32)
    with pytest.raises(
        InputError, match=r"have 64 dimensions, those of .*clip \(inputs.clip\) 32: name"
    ):
        check(source, small, run_script)


def test_broken_images_and_rows_without_an_embedding_are_left_out(source, clips, run_script):
    keys = [f"00000{i:04d}" for i in range(SHARD)]
    members = {f"{k}.jpg": b"broken" if i < 8 else jpeg(drawn(i)) for i, k in enumerate(keys)}
    write_tar(source / "data" / "00000.tar", members)
    found, _ = check(source, clips[0], run_script)
    assert found["image"][0] == "14"
    assert float(found["image"][1]) > 0.98
