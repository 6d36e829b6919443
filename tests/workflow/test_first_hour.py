"""A user's first hour with a public checkpoint: refused with a command, fetched by it, checked, scored, exchanged."""

from __future__ import annotations

import re
import shutil

import pandas as pd
import pytest
from hub_server import COMMIT, HubServer
from made_paper import draw, make_clip, make_laion, snapshot
from snakemake_runs import Tree

from tiny_models import make_sd
from verbatim.io.records import read_table

OVERLAYS = ("config/paper.yaml", "tests/workflow/paper_tiny.yaml")
NAME, RESULTS = "someone/tiny", "results/first"
SCORES = f"{RESULTS}/whitebox/sd1/scores.parquet"


@pytest.fixture(scope="module")
def user(tmp_path_factory) -> dict:
    """Local shards, a hub cache with their CLIP alone, and a sheet with one model of the hub."""
    base = tmp_path_factory.mktemp("first")
    tree = Tree(base / "tree", OVERLAYS)
    captions, images = draw(104)
    clip_id, clip_commit = "someone/clip", "0" * 39 + "2"
    clip = make_clip(snapshot(base / "hub", clip_id, clip_commit), captions)
    make_laion(base / "laion", clip, captions, images)
    sheet = pd.read_csv(tree.folder / "config/models.paper.tsv", sep="\t", dtype=str, keep_default_na=False)  # fmt: skip
    sheet = sheet[sheet.model == "sd1"].assign(source=NAME, revision=COMMIT, dtype="float32")
    sheet.to_csv(base / "models.tsv", sep="\t", index=False)
    return {"base": base, "tree": tree, "captions": captions, "clip": f"{clip_id}@{clip_commit}"}


def run(user: dict, *args: str, sheet: str = "models.tsv"):
    base = user["base"]
    return user["tree"].run(
        *args, SCORES, results=RESULTS, models=str(base / sheet), hub_cache=str(base / "hub"),
        inputs=f"{{source: {base / 'laion'}, clip: {user['clip']}, fetch_urls: false}}",
        select_models="[sd1]",
    )  # fmt: skip


def scores(user: dict) -> pd.Series:
    table = read_table(user["tree"].folder / SCORES, "whitebox")
    return table.set_index("prompt_id")["dcs_reference"].sort_index()


def test_the_command_of_the_refusal_is_all_that_a_user_needs_up_to_the_first_scores(user):
    folder = make_sd(user["base"] / "published", seed=3, captions=user["captions"])
    (folder / "unet/diffusion_pytorch_model.bin").write_bytes(b"\x80\x04.")
    assert run(user, "--dry-run").code == 0
    refused = run(user)
    assert refused.code != 0
    (command,) = set(re.findall(r"fetch it first: (\.venv/bin/hf download .*)", refused.text))
    assert "Traceback" not in refused.text.split("check_model failed")[0]
    hub = HubServer(folder, NAME)
    try:
        fetched = hub.run(command, user["base"] / "home")
    finally:
        hub.close()
    assert fetched.returncode == 0, fetched.stderr
    done = run(user)
    assert done.code == 0, done.text[-4000:]
    assert {"check_model", "denoise_whitebox"} <= done.rules
    assert len(scores(user))
    loaded = pd.read_csv(user["tree"].folder / RESULTS / "inputs/models/sd1.tsv", sep="\t")
    assert list(loaded) == ["file", "bytes", "sha256"]
    assert not loaded["file"].str.endswith(".bin").any()


def test_weights_behind_a_link_that_is_turned_are_scored_anew(user):
    """The new weights are older than every result, as an archive unpacks them: times say nothing."""
    base = user["base"]
    local = make_sd(base / "local", seed=4, captions=user["captions"])
    make_sd(base / "other", seed=5, captions=user["captions"])
    shutil.move(local / "unet", base / "unet_a")
    (local / "unet").symlink_to(base / "unet_a")
    sheet = pd.read_csv(base / "models.tsv", sep="\t", dtype=str, keep_default_na=False)
    sheet.assign(source=str(local), revision="").to_csv(base / "local.tsv", sep="\t", index=False)
    assert run(user, sheet="local.tsv").code == 0
    first = scores(user)
    (local / "unet").unlink()
    (local / "unet").symlink_to(base / "other/unet")
    done = run(user, sheet="local.tsv")
    assert done.code == 0, done.text[-4000:]
    assert done.rules == {"check_model", "denoise_whitebox", "score_whitebox"}
    assert not (scores(user) == first).any()
    again = run(user, sheet="local.tsv")
    assert again.rules == set(), "nothing is done for what did not change"
