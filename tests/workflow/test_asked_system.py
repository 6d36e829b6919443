"""A row of family `api`: snakemake asks a server on this machine, and the key is nowhere afterwards."""

from __future__ import annotations

import base64

import pandas as pd
import pytest
import yaml
from api_server import KEY, ApiServer
from snakemake_runs import Job, Tree

from verbatim.io.records import prompt_id, read_table, write_table

ONLY = ("--allowed-rules", "fetch_generations", "build_generations")
IMAGES = "results/labels/web/images.zip"


@pytest.fixture(scope="module")
def server():
    with ApiServer() as server:
        yield server


@pytest.fixture(scope="module")
def tree(tmp_path_factory, server) -> Tree:
    """A sheet of sd1 and of a closed system behind HTTP, whose candidates are selected."""
    tree = Tree(tmp_path_factory.mktemp("asked") / "tree")
    described = {
        "kind": "a1111", "url": f"{server.url}/sdapi/v1/txt2img", "allow_http": True, "key_variable": "IMAGES_KEY",
        "size": [16, 16], "steps": 8, "guidance": 3.0, "budget": 8, "price": 0.5, "images_per_minute": 100000,
    }  # fmt: skip
    (tree.folder / "web.yaml").write_text(yaml.safe_dump(described))
    sheet = pd.read_csv(
        tree.folder / "config/models_train.tsv", sep="\t", dtype=str, keep_default_na=False
    )
    sheet = sheet[sheet.model.isin(["sd1", "if"])].copy()
    changes = {
        "model": "web", "name": "Behind HTTP", "family": "api", "training": "", "upscaler": "", "source": "web.yaml",
        "deduplicated": "unknown", "candidates": "top:sd1", "reference": "",
    }  # fmt: skip
    sheet.loc[sheet.model == "if", list(changes)] = list(changes.values())
    sheet.to_csv(tree.folder / "sheet.tsv", sep="\t", index=False)
    own = sheet.assign(candidates=sheet.candidates.replace("top:sd1", "top:web"))
    own.to_csv(tree.folder / "own.tsv", sep="\t", index=False)
    captions = ["a cat", "a dog"]
    selection = pd.DataFrame({
        "prompt_id": [prompt_id(caption) for caption in captions], "caption": captions, "row": [0, 1], "extra": False,
        "why": "top:sd1",
    })  # fmt: skip
    path = tree.folder / "results/labels/web/selection.parquet"
    path.parent.mkdir(parents=True)
    write_table(path, "selection", selection)
    return tree


def test_it_is_asked_labelled_and_scored_by_nothing_else(tree):
    plan = tree.plan("results/labels/web/labels.parquet", "--forceall", models="sheet.tsv")
    rules = {job.rule for job in plan.jobs if job.model == "web"}
    assert rules == {
        "select_candidates", "fetch_generations", "build_generations", "search_neighbours", "select_images",
        "fetch_images", "label_candidates", "merge_labels",
    }  # fmt: skip
    assert Job("compare_edges", "sd1") in plan.jobs


def test_its_own_ecs_ranks_the_prompts_where_it_takes_seed_and_steps(tree):
    plan = tree.plan("results/labels/web/labels.parquet", "--forceall", models="own.tsv")
    rules = {job.rule for job in plan.jobs if job.model == "web"}
    assert {"select_blackbox", "fetch_blackbox", "compare_edges", "score_blackbox"} <= rules
    assert not {"generate_blackbox", "denoise_whitebox", "score_whitebox"} & {
        job.rule for job in plan.jobs
    }


def test_a_run_without_the_key_ends_before_any_work(tree, server, monkeypatch):
    monkeypatch.delenv("IMAGES_KEY", raising=False)
    done = tree.run(IMAGES, *ONLY, models="sheet.tsv")
    assert done.code != 0
    assert "the environment variable IMAGES_KEY is not set" in done.text
    assert not server.bodies


def test_the_images_are_paid_for_once_and_the_key_is_nowhere(tree, server, monkeypatch):
    monkeypatch.setenv("IMAGES_KEY", KEY)
    done = tree.run(IMAGES, *ONLY, models="sheet.tsv")
    assert done.code == 0, done.text[-3000:]
    table = read_table(tree.folder / "results/labels/web/generations.parquet", "generations")
    assert table["status"].tolist() == ["ok"] * 8
    assert len(server.paid) == 8
    assert "8 are asked for at 0.5 USD = 4.00 USD" in done.text
    (tree.folder / "results/labels/web/asked/manifest.jsonl").unlink()
    assert tree.run(IMAGES, *ONLY, models="sheet.tsv").code == 0
    assert len(server.paid) == 8
    assert server.headers[0]["authorization"].startswith("Basic ")
    basic = base64.b64encode(KEY.encode())
    files = [path for path in tree.folder.rglob("*") if path.is_file()]
    assert any(path.match("results/logs/labels/fetch_generations/web.log") for path in files)
    assert any(path.match("results/benchmarks/labels/fetch_generations/web.tsv") for path in files)
    told = [
        path for path in files
        if "tests" not in path.relative_to(tree.folder).parts
        and (KEY.encode() in path.read_bytes() or basic in path.read_bytes())
    ]  # fmt: skip
    assert not told
    assert KEY not in done.text
