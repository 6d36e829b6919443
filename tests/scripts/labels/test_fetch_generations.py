"""From candidates to a closed system's archive of generations, over HTTP."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from api_server import KEY, ApiServer, drawn
from served_checkpoint import load_tool

from tiny_models import CAPTIONS
from verbatim.io.images import ImageArchive, decode_image, generation_name, to_uint8
from verbatim.io.missing import MissingError
from verbatim.io.paid_answers import BudgetError
from verbatim.io.records import prompt_id, read_table, write_table

SEEDS = [0, 3]


@pytest.fixture
def server():
    with ApiServer() as server:
        yield server


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("IMAGES_KEY", KEY)


def select(folder: Path, captions: list[str]) -> Path:
    table = pd.DataFrame({
        "prompt_id": [prompt_id(caption) for caption in captions], "caption": captions,
        "row": range(len(captions)), "extra": False, "why": "top:sd1",
    })  # fmt: skip
    write_table(folder / "selection.parquet", "selection", table)
    return folder / "selection.parquet"


def endpoint(url: str, size: int = 16, **more) -> dict:
    return {
        "kind": "a1111", "url": url, "allow_http": True, "budget": 50, "key_variable": "IMAGES_KEY",
        "size": [size, size], "steps": 4, "guidance": 3.0, "images_per_minute": 1e6, **more,
    }  # fmt: skip


def fetch(run_script, folder: Path, captions: list[str], described: dict) -> pd.DataFrame:
    """The `generations` table, with images.zip beside it."""
    manifest = folder / "asked/manifest.jsonl"
    run_script(
        "labels/fetch_generations.py",
        {"selection": select(folder, captions), "code": []},
        {"manifest": manifest},
        {
            "seeds": SEEDS,
            "endpoint": described,
            "answers": str(folder / "answers"),
            "most_missing": 0.5,
        },
        {"model": "web"},
    )
    run_script(
        "labels/build_generations.py",
        {"manifest": manifest, "code": []},
        {name: folder / name for name in ("images", "cost", "generations")},
        {"most_missing": 0.5, "may_be_empty": True},
        {"model": "web"},
    )
    return read_table(folder / "generations", "generations")


def test_every_image_is_in_the_archive_under_its_prompt_and_seed(run_script, server, tmp_path):
    table = fetch(
        run_script, tmp_path, ["a cat", "a dog"], endpoint(server.url + "/sdapi/v1/txt2img")
    )
    assert table[["status", "seed", "given_seed", "steps"]].values.tolist() == [
        ["ok", seed, seed, 4] for _ in "ab" for seed in SEEDS
    ]
    with ImageArchive(tmp_path / "images") as archive:
        for caption in ("a cat", "a dog"):
            for seed in SEEDS:
                found = archive.read(generation_name(prompt_id(caption), seed))
                assert np.array_equal(found, decode_image(drawn(caption, seed)))
    log = (tmp_path / "job.log").read_text()
    assert KEY not in log


def test_the_manifest_has_time_identifier_and_digest_of_each_answer(run_script, server, tmp_path):
    fetch(run_script, tmp_path, ["a cat"], endpoint(server.url + "/sdapi/v1/txt2img"))
    lines = [
        json.loads(line) for line in (tmp_path / "asked/manifest.jsonl").read_text().splitlines()
    ]
    assert [line["response"] for line in lines] == ["req-7"] * 2
    assert all(line["time"].startswith("20") and len(line["sha256"]) == 64 for line in lines)


def test_a_refused_prompt_is_missing_with_its_reason(run_script, server, tmp_path):
    server.of_prompt = {"dog": "moderated"}
    captions = ["a cat", "a dog", 'a\nbird, with "quotes"']
    table = fetch(run_script, tmp_path, captions, endpoint(server.url + "/sdapi/v1/txt2img"))
    assert table["status"].tolist() == ["ok", "ok", "missing", "missing", "ok", "ok"]
    assert table["reason"].unique().tolist() == ["", "refused: moderation: moderation_blocked"]
    assert table["caption"].tolist()[4] == captions[2]


def test_most_images_missing_end_the_job_and_nothing_is_paid_twice(run_script, server, tmp_path):
    server.of_prompt = {"dog": "large", "bird": "moderated"}
    described = endpoint(server.url + "/sdapi/v1/txt2img")
    for _ in range(2):
        with pytest.raises(MissingError, match="4 of 6 generations of web are missing"):
            fetch(run_script, tmp_path, ["a cat", "a dog", "a bird"], described)
    assert len(server.bodies) == 6


def test_no_candidates_are_no_images_and_no_request(run_script, server, tmp_path):
    table = fetch(run_script, tmp_path, [], endpoint(server.url + "/sdapi/v1/txt2img"))
    assert table.empty
    with ImageArchive(tmp_path / "images") as archive:
        assert archive.names() == []
    assert not server.bodies


def test_a_budget_of_nothing_asks_for_nothing(run_script, server, tmp_path):
    with pytest.raises(BudgetError, match="0 are left of the budget of 0"):
        fetch(run_script, tmp_path, ["a cat"], endpoint(server.url + "/sdapi/v1/txt2img", budget=0))
    assert not server.bodies
    assert (
        "2 images: 0 are kept and cost nothing, 2 are asked for"
        in (tmp_path / "job.log").read_text()
    )


@pytest.fixture(scope="module")
def tool():
    return load_tool()


@pytest.fixture(scope="module")
def served(tool, tiny_sd):
    """The address at which a tiny checkpoint is served."""
    handler = tool.make_handler(tool.Generator(str(tiny_sd), "sd"), KEY)
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{tool.PATH}"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_images_over_http_are_those_of_direct_calls(run_script, served, tiny_sd, tmp_path):
    from verbatim.models.load import load_denoiser
    from verbatim.models.sampling import Sampling
    from verbatim.models.stacks import generate_stack

    captions = [*CAPTIONS[:2], "sun (behind) a [cloud] AND <heart:1>"]
    table = fetch(run_script, tmp_path, captions, endpoint(served, 32, sampler="Euler"))
    assert table["status"].eq("ok").all()
    denoiser = load_denoiser(tiny_sd, "sd", "cpu")
    direct, _ = generate_stack(denoiser, captions, SEEDS, Sampling(4, 3.0, "euler"), 1)
    with ImageArchive(tmp_path / "images") as archive:
        for caption, of_prompt in zip(captions, direct, strict=True):
            for seed, image in zip(SEEDS, of_prompt, strict=True):
                found = to_uint8(archive.read(generation_name(prompt_id(caption), seed)))
                assert np.array_equal(found, image), (caption, seed)


@pytest.mark.slow
def test_one_step_over_http_is_the_one_step_image_of_the_score(
    run_script, served, tiny_sd, tmp_path
):
    from verbatim.io.image_store import Images
    from verbatim.models.load import load_denoiser
    from verbatim.models.sampling import generate_one_step

    captions = CAPTIONS[:3]
    run_script(
        "blackbox/fetch_blackbox.py",
        {"selection": select(tmp_path, captions), "code": []},
        {"images": tmp_path / "shards/00000.images.parquet", "cost": tmp_path / "shards/00000.cost.parquet"},
        {
            "seeds": SEEDS, "prompts_a_shard": 10, "prompts_a_part": 2, "guidances": [3.0, 7.5], "last": True,
            "kept": str(tmp_path / "kept"), "endpoint": endpoint(served, 32, sampler="Euler"),
            "answers": str(tmp_path / "answers"), "most_missing": 0.5,
        },
        {"model": "web", "shard": "00000"},
    )  # fmt: skip
    denoiser = load_denoiser(tiny_sd, "sd", "cpu")
    with Images(tmp_path / "shards/00000.images.parquet") as images:
        for i, seed, image in generate_one_step(denoiser, captions, SEEDS, guidance=3.0, batch=8):
            found = images.read(generation_name(prompt_id(captions[i]), seed))
            assert np.abs(to_uint8(found).astype(int) - to_uint8(image)).max() <= 1
    cost = read_table(tmp_path / "shards/00000.cost.parquet", "costs")
    assert cost[["stage", "prompts", "unet_rows"]].values.tolist() == [["blackbox", 3, 0]]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422), (b"[]", 422), (b'{"prompt": 3}', 422), (b'{"prompt": "a", "steps": 0}', 422),
        (b'{"prompt": "a", "steps": true}', 422), (b'{"prompt": "a", "sampler_name": "DPM"}', 404),
        (b'{"prompt": "a", "width": 64}', 400), (b'{"prompt": "a", "cfg_scale": "x"}', 422),
    ],
)  # fmt: skip
def test_the_served_checkpoint_says_what_it_cannot_do(tool, body, status):
    with pytest.raises(tool.RequestError) as caught:
        tool.read_request(body, 32)
    assert caught.value.status == status
