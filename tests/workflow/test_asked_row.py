"""The row of a closed system over HTTP is the row by direct calls where seed, steps and guidance scale are the same."""

from __future__ import annotations

import base64

import pandas as pd
import pytest
import yaml
from api_server import ApiServer
from served_checkpoint import load_tool
from snakemake_runs import Tree

from tiny_models import CAPTIONS
from verbatim.world.closed import write_images

pytestmark = pytest.mark.slow

SEEDS, STEPS, GUIDANCE = [0, 1], 2, 3.0
SETTINGS = {
    "models": "sheet.tsv", "select_models": "[midjourney,midjourney_http]",
    "inputs": "{clip: workflow/resources/world/clip}",
    "labels": "{presets: {loose: {mv: 0.3, rv: 0.5, tv: 0.3}}}",
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tiny_sd):
    generator = load_tool().Generator(str(tiny_sd), "sd")
    with ApiServer(lambda body: base64.b64decode(generator.answer(body)["images"][0])) as server:
        yield server


@pytest.fixture(scope="module")
def tree(tmp_path_factory, tiny_sd, server) -> Tree:
    """The shipped overlay and sheet; the closed system is a tiny checkpoint, known by images of direct calls and by HTTP."""
    from verbatim.models.load import load_denoiser
    from verbatim.models.sampling import Sampling
    from verbatim.models.stacks import generate_stack

    tree = Tree(tmp_path_factory.mktemp("row") / "tree", ("config/smoke.yaml", "config/asked.yaml"))
    images, _ = generate_stack(
        load_denoiser(tiny_sd, "sd", "cpu"), CAPTIONS[:5], SEEDS, Sampling(STEPS, GUIDANCE, "euler"), 4
    )  # fmt: skip
    write_images(tree.folder / "closed", CAPTIONS[:5], SEEDS, images, STEPS)
    described = {
        "kind": "a1111", "url": f"{server.url}/sdapi/v1/txt2img", "allow_http": True, "size": [32, 32], "steps": STEPS,
        "guidance": GUIDANCE, "sampler": "Euler", "budget": 10, "images_per_minute": 100000,
    }  # fmt: skip
    (tree.folder / "web.yaml").write_text(yaml.safe_dump(described))
    sheet = (tree.folder / "config/models_asked.tsv").read_text()
    sheet = sheet.replace("config/endpoints/served.yaml", "web.yaml")
    sheet = sheet.replace("workflow/resources/world/midjourney", "closed")
    (tree.folder / "sheet.tsv").write_text(sheet)
    return tree


def test_images_labels_and_counts_of_the_two_rows_are_the_same(tree, server):
    done = tree.run("asked", results="results", **SETTINGS)
    assert done.code == 0, done.text[-5000:]
    assert len(server.paid) == 10  # the whole budget, once
    row = pd.read_csv(tree.folder / "results/tables/asked.csv").iloc[0]
    assert (row["model"], row["direct"]) == ("midjourney_http", "midjourney")
    assert (row["prompts"], row["images"], row["alone"]) == (5, 10, 0)
    assert row["largest"] <= 1
    assert row["other_label"] == 0
    table = pd.read_csv(tree.folder / "results/table1.csv").set_index("Model")
    direct, asked = table.loc["Midjourney v4"], table.loc["Midjourney v4 over HTTP"]
    counts = ["Retrieved", "Template", "Exact", "Judged", "Missing"]
    assert asked[counts].tolist() == direct[counts].tolist()
    assert asked["Judged"] == 5
    assert asked[["Retrieved", "Template", "Exact"]].sum() > 0
    rules = {job.rule for job in done.jobs if job.model == "midjourney_http"}
    assert "fetch_generations" in rules
    assert not rules & {"generate_candidates", "score_whitebox", "denoise_whitebox"}
