"""What is wrong with a user's files is said by name, with the cure, before any long work."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_inputs import png, random_units, write_shard, write_tar
from snakemake_runs import Tree

from verbatim.io.records import read_table

CAPTIONS = ["red heart", "", "a" * 10_000, "😀 ☃\nnew line", '../../etc/passwd "quoted"', None]


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Tree:
    return Tree(tmp_path_factory.mktemp("bad") / "tree")


@pytest.fixture
def source(tmp_path) -> Path:
    """A user's folder: two shards of six rows in LAION's layout, some vectors and captions bad."""
    folder = tmp_path / "laion"
    for number in range(2):
        vectors = random_units(6, seed=number)
        if number:
            vectors[2], vectors[3] = np.nan, 0
        keys = [f"{number:05d}{i:04d}" for i in range(6)]
        write_shard(folder, number, vectors, CAPTIONS, key=keys)
        members = {f"{key}.png": png(20 * i) for i, key in enumerate(keys)}
        write_tar(folder / "data" / f"{number:05d}.tar", members)
    return folder


def write_sheet(tree: Tree, file: Path, model: Path) -> str:
    """A sheet with one model, of a folder: nothing is trained on a user's data."""
    table = pd.read_csv(
        tree.folder / "config/models.tsv", sep="\t", dtype=str, keep_default_na=False
    )
    table = table[table.model == "sd1"].assign(source=str(model), training="")
    table.to_csv(file, sep="\t", index=False)
    return str(file)


def run(tree: Tree, source: Path, *targets: str, **config: str):
    results = str(source.parent / "results")
    if "models" not in config:
        config["models"] = write_sheet(tree, source.parent / "models.tsv", source.parent / "model")
    # no CLIP: none of these runs embeds an image
    inputs = f"{{source: {source}, clip: {source}, clip_images: 0, extra_prompts: ''}}"
    paths = [f"{results}/{target}" for target in targets]
    return tree.run(*paths, results=results, inputs=inputs, **config), Path(results)


def assert_refused(done, *words: str) -> None:
    assert done.code != 0
    for word in words:
        assert word in done.text, done.text[-3000:]


def test_hostile_rows_are_recorded_and_the_rest_goes_on(tree, source):
    done, results = run(tree, source, "dedup/prompts.parquet")
    assert done.code == 0, done.text[-3000:]
    rows = pd.concat(read_table(f, "rows") for f in sorted((results / "inputs/rows").iterdir()))
    assert list(rows.row) == list(range(12))
    status = rows.status.tolist()
    assert status[:6] == ["ok", "bad_caption", "bad_caption", "ok", "ok", "bad_caption"]
    assert status[8:10] == ["bad_embedding", "bad_embedding"]
    prompts = read_table(results / "dedup/prompts.parquet", "prompts")
    assert sorted(prompts.caption) == sorted([CAPTIONS[0], CAPTIONS[3], CAPTIONS[4]])
    assert not [p for p in source.parent.rglob("*passwd*")]


def test_no_prompt_left_after_a_filter_says_which_keys_to_change(tree, source):
    done, results = run(tree, source, "dedup/prompts.parquet", dedup="{min_caption_chars: 1500}")
    assert_refused(done, "no prompt is left", "dedup.")
    assert not (results / "dedup/prompts.parquet").exists()


def test_shards_of_different_length_are_refused_by_name(tree, source):
    np.save(source / "img_emb" / "img_emb_0001.npy", random_units(5).astype(np.float16))
    done, results = run(tree, source, "inputs/manifest.tsv")
    assert_refused(done, "img_emb_0001.npy", "5", "metadata_0001.parquet", "6")
    assert not (results / "inputs/manifest.tsv").exists()


def test_a_missing_shard_is_named_before_anything_is_planned(tree, source):
    (source / "metadata" / "metadata_0000.parquet").unlink()
    done, results = run(tree, source, "inputs/manifest.tsv")
    assert_refused(done, "embeddings without metadata", "img_emb_0000.npy")
    assert "Traceback" not in done.text
    assert not results.exists()


def test_what_only_the_world_has_is_refused_beside_a_users_folder(tree, source, tmp_path):
    done, results = run(tree, source, "table1.csv", models="config/models_train.tsv")
    assert_refused(
        done, "config/models_train.tsv: sd1 is selected and has the source 'train'", "sd2"
    )
    assert "Traceback" not in done.text
    assert not results.exists()


def test_an_archive_that_is_added_later_is_noticed(tree, source):
    late = source / "data" / "00001.tar"
    late.rename(source / "late.tar")
    done, results = run(tree, source, "inputs/archives.tsv")
    assert done.code == 0, done.text[-3000:]
    assert "00001.tar" not in (results / "inputs/archives.tsv").read_text()
    (source / "late.tar").rename(late)
    done, results = run(tree, source, "inputs/archives.tsv")
    assert done.code == 0, done.text[-3000:]
    assert "00001.tar" in (results / "inputs/archives.tsv").read_text()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("missing", ["no such folder; correct the models sheet"]),
        ("incomplete", ["unet/diffusion_pytorch_model.safetensors is missing", "fetch"]),
        ("no index", ["model_index.json is missing"]),
        ("pickle", ["text_encoder/ has pickled weights alone", "a pickle can run code"]),
    ],
)
def test_a_model_that_cannot_be_loaded_stops_the_run_before_any_search(
    tree, source, tiny_sd, tmp_path, harm, words
):
    model = shutil.copytree(tiny_sd, tmp_path / "model")
    if harm == "missing":
        shutil.rmtree(model)
    elif harm == "incomplete":
        (model / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    elif harm == "no index":
        (model / "model_index.json").unlink()
    else:
        weights = model / "text_encoder" / "model.safetensors"
        weights.rename(weights.with_name("pytorch_model.bin"))
    sheet = write_sheet(tree, tmp_path / "models.tsv", model)
    (source / "open_clip_config.json").touch()
    (source / "open_clip_model.safetensors").touch()
    done, results = run(tree, source, "table1.csv", models=sheet)
    assert_refused(done, str(model), *words)
    assert not (results / "dedup").exists()
    assert not (results / "whitebox").exists()
