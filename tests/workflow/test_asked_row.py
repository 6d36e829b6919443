"""The row of a closed system over HTTP is the row by direct calls where seed, steps and guidance scale are the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml
from made_paper import make_clip, make_laion
from PIL import Image
from served_checkpoint import COPIED, HELD_OUT, SIZE, STEPS, describe, generate, serve
from snakemake_runs import Tree

from verbatim.world.closed import write_images

pytestmark = pytest.mark.slow

SEEDS, PROMPTS = [0, 1], [*COPIED, *HELD_OUT[:2]]
TRAINED = 20  # images of the training data, those of the copied prompts first


@pytest.fixture(scope="module")
def server():
    with serve() as server:
        yield server


@pytest.fixture(scope="module")
def tree(tmp_path_factory, server) -> Tree:
    """The shipped overlay and sheet. The closed system is a checkpoint, known by images of direct calls and over HTTP; what it
    generates from another seed for prompts that it copies is in the training data.
    """
    tree = Tree(tmp_path_factory.mktemp("row") / "tree", ("config/smoke.yaml", "config/asked.yaml"))
    *images, last = zip(*generate(PROMPTS, [*SEEDS, 9]), strict=True)
    write_images(tree.folder / "closed", PROMPTS, SEEDS, list(zip(*images, strict=True)), STEPS)
    captions = [*PROMPTS, *(f"a fractal {i}" for i in range(TRAINED - len(PROMPTS)))]
    fractals = [
        Image.effect_mandelbrot((SIZE, SIZE), (-2 + i / 20, -1, 0.5 + i / 20, 1), 20 + i)
        for i in range(TRAINED - len(COPIED))
    ]
    trained = [*last[: len(COPIED)], *(np.array(image.convert("RGB")) for image in fractals)]
    clip = make_clip(tree.folder / "clip", captions)
    make_laion(tree.folder / "laion", clip, captions, np.stack(trained))
    described = describe(server, len(PROMPTS) * len(SEEDS))
    (tree.folder / "web.yaml").write_text(yaml.safe_dump(described))
    sheet = (tree.folder / "config/models_asked.tsv").read_text()
    sheet = sheet.replace("config/endpoints/served.yaml", "web.yaml")
    sheet = sheet.replace("workflow/resources/world/midjourney", "closed")
    (tree.folder / "sheet.tsv").write_text(sheet)
    return tree


def test_images_labels_and_counts_of_the_two_rows_are_the_same(tree, server):
    done = tree.run(
        "asked", models="sheet.tsv", select_models="[midjourney,midjourney_http]", labels="{preset: paper, size: 64}",
        inputs='{source: laion, clip: clip, fetch_urls: false, extra_prompts: ""}',
    )  # fmt: skip
    assert done.code == 0, done.text[-5000:]
    assert len(server.paid) == len(PROMPTS) * len(SEEDS)  # the whole budget, once
    row = pd.read_csv(tree.folder / "results/tables/asked.csv").iloc[0]
    assert (row["model"], row["direct"]) == ("midjourney_http", "midjourney")
    assert (row["prompts"], row["images"], row["alone"]) == (len(PROMPTS), 10, 0)
    assert row["largest"] <= 1
    assert row["other_label"] == 0
    table = pd.read_csv(tree.folder / "results/table1.csv").set_index("Model")
    direct, asked = table.loc["Midjourney v4"], table.loc["Midjourney v4 over HTTP"]
    counts = ["Retrieved", "Template", "Exact", "Judged", "Missing"]
    assert asked[counts].tolist() == direct[counts].tolist()
    assert (asked["Judged"], asked["Exact"]) == (len(PROMPTS), len(COPIED))
    rules = {job.rule for job in done.jobs if job.model == "midjourney_http"}
    assert "fetch_generations" in rules
    assert not rules & {"generate_candidates", "score_whitebox", "denoise_whitebox"}
