"""Sources of every layout are planned as they lie, and nothing is fetched without being asked for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_inputs import png, random_units, write_shard, write_tar
from snakemake_runs import Done, Tree, warm_python

from verbatim.io.records import read_table


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Tree:
    return Tree(tmp_path_factory.mktemp("layouts") / "tree")


def settings(tree: Tree, source: Path, **inputs: str) -> dict[str, str]:
    """Config entries of a run on a user's folder, with one model of a folder."""
    table = pd.read_csv(
        tree.folder / "config/models.tsv", sep="\t", dtype=str, keep_default_na=False
    )
    table = table[table.model == "sd1"].assign(source=str(source / "model"), training="")
    table.to_csv(source / "models.tsv", sep="\t", index=False)
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        (source / name).touch()
    (source / "model").mkdir(exist_ok=True)
    (source / "model" / "model_index.json").touch()
    keys = {"source": str(source), "clip": str(source), "extra_prompts": "''", **inputs}
    written = ", ".join(f"{key}: {value}" for key, value in keys.items())
    return {"models": str(source / "models.tsv"), "inputs": f"{{{written}}}"}


def write_laion(folder: Path, sizes: list[int]) -> None:
    for number, size in enumerate(sizes):
        table = {"URL": [f"https://x.invalid/{i}" for i in range(size)], "TEXT": "c"}
        pd.DataFrame(table).to_parquet(folder / f"part-{number:05d}-x-c000.snappy.parquet")


def write_arrays(folder: Path, sizes: list[int]) -> None:
    (folder / "img_emb").mkdir()
    for number, size in enumerate(sizes):
        np.save(folder / "img_emb" / f"img_emb_{number:04d}.npy", random_units(size).astype("f2"))


def refused(done: Done, *words: str) -> None:
    assert done.code != 0
    for word in words:
        assert word in done.text, done.text[-3000:]


def test_laions_tables_beside_embeddings_make_rows_or_are_refused_by_their_totals(tree, tmp_path):
    write_laion(tmp_path, [5, 4])
    write_arrays(tmp_path, [2, 3, 4])
    config = settings(tree, tmp_path)
    out = str(tmp_path / "results")
    rows = [f"{out}/inputs/rows/{i:05d}.parquet" for i in range(3)]
    done = tree.run(*rows, f"{out}/inputs/sha256.txt", results=out, **config)
    assert done.code == 0, done.text[-3000:]
    assert [len(read_table(path, "rows")) for path in rows] == [2, 3, 4]
    assert len(Path(f"{out}/inputs/sha256.txt").read_text().splitlines()) == 5
    pd.DataFrame({"URL": ["u"], "TEXT": ["c"]}).to_parquet(
        tmp_path / "part-00002-x-c000.snappy.parquet"
    )
    done = tree.run(rows[0], results=out, **config)
    refused(done, "have 9 rows, the 3 tables", "metadata_N.parquet")


def test_tables_alone_make_rows_and_a_search_names_the_embeddings_that_it_lacks(tree, tmp_path):
    write_laion(tmp_path, [3])
    config = settings(tree, tmp_path)
    out = str(tmp_path / "results")
    done = tree.run(f"{out}/inputs/rows/00000.parquet", results=out, **config)
    assert done.code == 0, done.text[-3000:]
    done = tree.run("--dry-run", f"{out}/dedup/prompts.parquet", results=out, **config)
    refused(done, "Missing input files", "img_emb/img_emb_00000.npy")


def test_img2dataset_without_embeddings_is_embedded_with_the_given_clip(tree, tmp_path):
    for number in range(2):
        key = f"{number:05d}0000"
        tar = write_tar(tmp_path / f"{number:05d}.tar", {f"{key}.png": png()})
        table = {"url": ["u"], "caption": ["c"], "key": [key], "status": ["success"]}
        pd.DataFrame(table).to_parquet(tar.with_suffix(".parquet"))
    out = str(tmp_path / "results")
    done = tree.plan(f"{out}/dedup/prompts.parquet", results=out, **settings(tree, tmp_path))
    assert {"embed_images", "check_inputs", "build_rows"} <= done.rules


def test_images_are_fetched_by_url_only_when_asked_for(tree, tmp_path):
    write_shard(tmp_path, 0, random_units(3), list("abc"))
    out = str(tmp_path / "results")
    target = f"{out}/labels/sd1/labels.parquet"
    done = tree.plan(target, results=out, **settings(tree, tmp_path))
    assert "fetch_images" in done.rules
    assert "fetch_urls" not in done.rules
    done = tree.plan(target, results=out, **settings(tree, tmp_path, fetch_urls="true"))
    assert "fetch_urls" in done.rules


LOCAL = """
import sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings

with SnakemakeApi(OutputSettings()) as api:
    workflow = api.workflow(
        resource_settings=ResourceSettings(cores=1),
        config_settings=ConfigSettings(
            configfiles=[Path("config/config.yaml")],
            config={"inputs": {"download": {"local": sys.argv[1] == "true"}}},
        ),
    )._workflow
    print("fetch_urls" in workflow._localrules, "fetch_images" in workflow._localrules)
"""


@pytest.mark.parametrize("local", ["true", "false"])
def test_downloads_run_where_snakemake_runs_only_when_asked_for(tree, local):
    (tree.folder / "local.py").write_text(LOCAL)
    done = subprocess.run(
        [warm_python(), "local.py", local], cwd=tree.folder, env=tree.environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == [str(local == "true"), "False"], done.stderr[-3000:]


def test_no_key_of_the_config_lets_a_private_address_be_asked(tree, tmp_path):
    write_shard(tmp_path, 0, random_units(3), list("abc"))
    for keys in ({"allow_private": "true"}, {"download": "{allow_private: [127.0.0.1]}"}):
        done = tree.run("--dry-run", **settings(tree, tmp_path, **keys))
        refused(done, "allow_private", "is no known key")
