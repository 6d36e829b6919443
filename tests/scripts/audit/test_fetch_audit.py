"""Rule fetch_audit: the generations of an audit, asked from a real local server."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from api_server import KEY, ApiServer, drawn
from asked_endpoint import settings

from verbatim.io.image_store import Images
from verbatim.io.images import MissingImageError, decode_image, generation_name, to_uint8
from verbatim.io.missing import MissingError
from verbatim.io.paid_answers import BudgetError
from verbatim.io.records import prompt_id, read_table, write_table

CAPTIONS = ["a cat", "a dog", "a moderated cat"]


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("IMAGES_KEY", KEY)
    with ApiServer() as server:
        yield server


def fetch(run_script, folder, server, captions=CAPTIONS, generations=2, **more):
    table = pd.DataFrame({
        "prompt_id": [prompt_id(caption) for caption in captions], "caption": captions, "row": -1, "extra": False,
        "why": "image",
    })  # fmt: skip
    write_table(folder / "prompts.parquet", "selection", table)
    run_script(
        "audit/fetch_audit.py",
        {"prompts": folder / "prompts.parquet"},
        {
            "images": folder / "asked.images.parquet", "cost": folder / "asked.cost.parquet",
            "archive": folder / "asked.zip",
        },
        {
            "generations": generations, "endpoint": settings(server, **more), "answers": str(folder / "answers"),
            "most_missing": 0.5, "model": {"model": "audited"},
        },
    )  # fmt: skip


def test_every_caption_is_asked_once_a_generation_and_nothing_is_paid_for_twice(
    server, tmp_path, run_script
):
    fetch(run_script, tmp_path, server, CAPTIONS[:2])
    with Images(tmp_path / "asked.images.parquet") as images:
        for caption in CAPTIONS[:2]:
            for seed in (0, 1):
                got = images.read(generation_name(prompt_id(caption), seed))
                np.testing.assert_array_equal(
                    to_uint8(got), to_uint8(decode_image(drawn(caption, seed)))
                )
    cost = read_table(tmp_path / "asked.cost.parquet", "costs").iloc[0]
    assert (cost["unet_rows"], cost["prompts"]) == (0, 2)
    billed = len(server.paid)
    assert billed == 4
    fetch(run_script, tmp_path, server, CAPTIONS[:2])
    assert len(server.paid) == billed


def test_a_refused_caption_is_a_missing_image_with_its_reason_and_most_refused_end_the_job(
    server, tmp_path, run_script
):
    server.of_prompt["moderated"] = "moderated"
    fetch(run_script, tmp_path, server)
    with Images(tmp_path / "asked.images.parquet") as images:
        assert images.read(generation_name(prompt_id("a dog"), 0)).shape == (16, 16, 3)
        with pytest.raises(MissingImageError, match="moderation"):
            images.read(generation_name(prompt_id("a moderated cat"), 0))
    with pytest.raises(MissingError, match="generations that the audit asked for"):
        fetch(run_script, tmp_path, server, ["a moderated dog", "a moderated bird"])


def test_a_budget_that_is_too_small_is_told_before_anything_is_asked(server, tmp_path, run_script):
    for budget in (0, 3):
        with pytest.raises(BudgetError, match=r"audit\.generations, audit\.least_prompts"):
            fetch(run_script, tmp_path, server, CAPTIONS[:2], budget=budget)
    assert not server.paid
