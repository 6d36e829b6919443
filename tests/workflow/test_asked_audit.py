"""`make audit` of a closed system: snakemake asks a server on this machine, which serves a checkpoint and misbehaves."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from served_checkpoint import COPIED, HELD_OUT, describe, generate, serve
from snakemake_runs import Tree

from verbatim.io.images import encode_png

pytestmark = pytest.mark.slow

MODERATED = COPIED[2]
GENERATIONS, CAPTIONS = 3, 8  # of each caption; captions in all
# a kill and an answer that was cut may have been billed, and each image is asked for again
BUDGET = GENERATIONS * CAPTIONS + 2
SETTINGS = {
    "audit": "{images: my images, model: closed.yaml, generations: 3, least_prompts: 8, unrelated: 4}",
    "labels": "{size: 64}",
    "evidence": "{size: 16, search: {coarse: 8}, test: {least: 4}}",
}


@pytest.fixture(scope="module")
def server():
    with serve() as server:
        server.of_prompt[MODERATED] = "moderated"
        yield server


def write_description(tree: Tree, server, budget: int) -> None:
    (tree.folder / "closed.yaml").write_text(yaml.safe_dump(describe(server, budget)))


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Tree:
    """A folder of six images: three that the checkpoint generates by a direct call, two that it does not, a control."""
    tree = Tree(tmp_path_factory.mktemp("asked") / "tree", ("config/audit.yaml",))
    folder = tree.folder / "my images"
    folder.mkdir()
    for i, images in enumerate(generate(COPIED, [1])):
        (folder / f"own{i}.png").write_bytes(encode_png(images[0]))
    for i in range(3):
        box = (-2 + i / 4, -1, 0.5 + i / 4, 1)
        Image.effect_mandelbrot((64, 64), box, 20 + i).convert("RGB").save(folder / f"other{i}.png")
    table = pd.DataFrame({
        "file_name": [f"{kind}{i}.png" for kind in ("own", "other") for i in range(3)], "text": [*COPIED, *HELD_OUT],
        "owner": ["Ash"] * 3 + ["Birch"] * 3, "control": ["no"] * 5 + ["yes"],
    })  # fmt: skip
    table.to_csv(folder / "metadata.csv", index=False)
    return tree


@pytest.fixture(scope="module")
def audited(tree, server) -> Path:
    """The audit after a run that was killed with seven images paid for, and the same command again."""
    write_description(tree, server, 10)
    before = tree.run("audit", **SETTINGS)
    assert before.code != 0
    plan = before.text[: before.text.index("build_audit {} starts")]  # as a dry run prints it
    assert (
        f"asks {server.url}/sdapi/v1/txt2img for 24 images at most at 0.5 USD = 12.00 USD" in plan
    )
    assert "the budget is 10 images, 14 too few" in plan
    assert "24 images have to be asked for, but 10 are left of the budget of 10" in before.text
    assert not server.bodies
    write_description(tree, server, BUDGET)
    server.ways = ["busy", "broken", "good", "cut"]
    tree.kill_when(lambda: len(server.paid) >= 7, "audit", results="results", **SETTINGS)
    assert tree.run("--unlock", **SETTINGS).code == 0
    done = tree.run("audit", **SETTINGS)
    assert done.code == 0, done.text[-5000:]
    assert re.search(r"24 images: \d+ are kept and cost nothing, \d+ are asked for", done.text)
    assert not done.rules & {"score_audit", "generate_audit"}
    return tree.folder / "results/audit"


def test_no_image_is_paid_for_twice_but_the_two_whose_answers_were_lost(server, audited):
    paid = Counter(server.paid)
    assert len(paid) == GENERATIONS * (CAPTIONS - 1)  # a caption is refused
    assert 1 <= paid.total() - len(paid) <= 2
    events = Counter(
        json.loads(line)["event"] for line in (audited / "answers/ledger.jsonl").open()
    )
    assert events["asked"] - events["unbilled"] <= BUDGET
    assert paid.total() + GENERATIONS <= BUDGET


def test_the_checkpoints_own_images_are_given_back_and_a_refused_one_is_not_tested(audited):
    told = pd.read_csv(audited / "verdicts.csv").set_index("file")
    own = told.loc[["own0.png", "own1.png"]]
    assert own["verdict"].tolist() == ["given_back"] * 2
    assert (own["distance"] < 1 / 255).all()  # over HTTP and by a direct call: the same image
    assert own["seed"].tolist() == [1, 1]
    assert own["n_back"].tolist() == [GENERATIONS] * 2  # memorized: other seeds give the same image
    refused = told.loc["own2.png"]
    assert refused["verdict"] == "not_tested"
    assert "moderation: moderation_blocked" in refused["reason"]
    others = told.loc[["other0.png", "other1.png", "other2.png"]]
    assert others["verdict"].tolist() == ["no_copy"] * 3
    np.testing.assert_allclose(others["rate_high"], 1 - 0.05 ** (1 / GENERATIONS), 1e-5)


def test_the_page_says_how_a_closed_system_was_asked_and_needs_nothing_else(audited):
    page = (audited / "report.html").read_text("utf-8")
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)
    for words in (
        "over HTTP, a1111 at http://127.0.0.1",
        "8 steps, guidance 3.0",
        "The model is a closed system",
        "given back",
    ):
        assert words in page
    assert "File of the model" not in page
    assert (
        json.loads((audited / "bundle/run.json").read_text())["settings"]["sampling"]["steps"] == 8
    )


def test_what_is_done_is_not_asked_again(tree, server, audited):
    paid = len(server.paid)
    assert not tree.plan("audit", **SETTINGS).jobs
    assert len(server.paid) == paid
