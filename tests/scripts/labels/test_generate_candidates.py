"""Rule generate_candidates on a tiny model with random weights."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tiny_models import CAPTIONS, make_sd, overflow_at
from verbatim.io.image_store import write_archive_table
from verbatim.io.images import (
    ImageArchive,
    MissingImageError,
    generation_name,
    seeds_of_prompts,
    to_uint8,
    write_archive,
)
from verbatim.io.records import prompt_id, read_table, write_table
from verbatim.models import checkpoint, stacks
from verbatim.models.denoiser import NetworkError
from verbatim.models.load import load_denoiser
from verbatim.models.sampling import Sampling, generate

HOW = {"sampler": "ddim", "steps": 2, "guidance": 4.0, "noise_level": 250}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_sd(tmp_path_factory.mktemp("model"), size=16)


def run(folder, model, run_script, n=3, size=100, family="sd", filtered=(), **second):
    folder.mkdir(exist_ok=True)
    captions = CAPTIONS[:n]
    selection = pd.DataFrame(
        {
            "prompt_id": pd.Series([prompt_id(c) for c in captions], dtype="int64"),
            "caption": pd.Series(captions, dtype=str), "row": range(n), "extra": False, "why": "dcs",
        }
    )  # fmt: skip
    write_table(folder / "selection.parquet", "selection", selection)
    shards = [f"{i:05d}" for i in range(max(1, -(-n // size)))]
    images, costs = (
        [folder / f"shards/{shard}.{name}.parquet" for shard in shards]
        for name in ("images", "cost")
    )
    for i, shard in enumerate(shards):
        run_script(
            "labels/generate_candidates.py",
            input={"selection": folder / "selection.parquet", "model": model / "model_index.json", "filtered": list(filtered), **second},
            output={"images": images[i], "cost": costs[i]},
            params={
                "model": {"family": family, "source": "train"}, "seeds": [0, 5], "prompts_a_shard": size,
                "upscaler": {"source": "train", "revision": "", **HOW} if second else {},
                "prompts_a_part": 2, "sampler": "heun", "spacing": "karras", "steps": 2, "guidance": 3.0, "batch": 4,
                "last": shard == shards[-1], "kept": folder / "kept",
            },
            wildcards={"model": "tiny", "shard": shard},
        )  # fmt: skip
    run_script(
        "labels/merge_candidates.py",
        input={"selection": folder / "selection.parquet", "images": images, "costs": costs},
        output={"images": folder / "images.zip", "cost": folder / "cost.parquet"},
        params={"kept": folder / "kept"},
        wildcards={"model": "tiny"},
    )
    return read_table(folder / "cost.parquet", "costs").iloc[0]


@pytest.mark.slow
def test_every_prompt_and_seed_has_its_image_and_the_rows_are_counted(tmp_path, model, run_script):
    cost = run(tmp_path, model, run_script)
    denoiser = load_denoiser(model, "sd", "cpu")
    with ImageArchive(tmp_path / "images.zip") as archive:
        assert len(archive.names()) == 6
        for index, seed, image in generate(denoiser, CAPTIONS[:3], [0, 5], Sampling(2, 3.0), 6):
            stored = archive.read(generation_name(prompt_id(CAPTIONS[index]), seed))
            assert np.abs(stored - to_uint8(image) / 255).max() < 1.5 / 255
    assert cost["unet_rows"] == 6 * 3 * 2 == denoiser.rows  # heun of two steps: three guided calls
    assert (cost["stage"], cost["preset"], cost["prompts"]) == ("labels", "all", 3)


@pytest.mark.slow
def test_generations_of_the_post_filter_are_taken_and_not_made_again(tmp_path, model, run_script):
    whole = run(tmp_path / "whole", model, run_script)
    rng = np.random.default_rng(0)
    marked = rng.integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    ids = [prompt_id(caption) for caption in CAPTIONS[:2]]
    kept = tmp_path / "kept_by_the_filter.zip"
    # the second prompt stopped before seed 5
    names = [generation_name(ids[0], 0), generation_name(ids[0], 5), generation_name(ids[1], 0)]
    write_archive(kept, zip(names, [*marked, marked[0]], strict=True))
    write_archive_table(tmp_path / "filtered.parquet", [(key, kept) for key in ids])
    cost = run(tmp_path / "some", model, run_script, filtered=[tmp_path / "filtered.parquet"])
    assert whole["unet_rows"] == 6 * 3 * 2
    assert cost["unet_rows"] == 4 * 3 * 2
    assert cost["prompts"] == 3
    with (
        ImageArchive(tmp_path / "whole/images.zip") as one,
        ImageArchive(tmp_path / "some/images.zip") as two,
    ):
        assert two.names() == one.names()
        for name in one.names():
            expected = one.read(name)
            if name in names[:2]:
                expected = marked[names.index(name)] / 255
            np.testing.assert_allclose(two.read(name), expected, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_shards_give_the_same_archive_and_a_longer_list_makes_the_new_ones_alone(
    tmp_path, model, run_script, monkeypatch
):
    whole = run(tmp_path / "whole", model, run_script, n=4)
    cut = run(tmp_path / "cut", model, run_script, n=4, size=3)
    assert cut["unet_rows"] == whole["unet_rows"] == 8 * 3 * 2
    with (
        ImageArchive(tmp_path / "whole/images.zip") as one,
        ImageArchive(tmp_path / "cut/images.zip") as two,
    ):
        assert one.names() == two.names()
        for name in one.names():
            assert np.abs(one.read(name) - two.read(name)).max() <= 1.01 / 255
    real, made = stacks.generate_stack, []
    monkeypatch.setattr(
        stacks, "generate_stack", lambda d, c, *r, **k: made.append(c) or real(d, c, *r, **k)
    )
    longer = run(tmp_path / "cut", model, run_script, n=6, size=2)
    assert made == [CAPTIONS[4:6]]
    assert longer["unet_rows"] == 12 * 3 * 2


@pytest.mark.slow
def test_a_killed_job_goes_on_where_it_was(tmp_path, model, run_script, monkeypatch):
    run(tmp_path / "whole", model, run_script)
    real = stacks.generate_stack

    def killed(denoiser, captions, *rest, **sampling):
        if captions == CAPTIONS[2:3]:
            raise KeyboardInterrupt
        return real(denoiser, captions, *rest, **sampling)

    monkeypatch.setattr(stacks, "generate_stack", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", model, run_script)
    again = []
    monkeypatch.setattr(
        stacks, "generate_stack", lambda d, c, *r, **k: again.append(c) or real(d, c, *r, **k)
    )
    run(tmp_path / "killed", model, run_script)
    assert again == [CAPTIONS[2:3]]
    one, two = tmp_path / "whole" / "images.zip", tmp_path / "killed" / "images.zip"
    assert one.read_bytes() == two.read_bytes()


def lose(denoiser, seed_of_first: int):
    """The denoiser, whose decoder has no finite answer for one image: the first prompt's with this seed."""
    plain, seen = denoiser.decode, []

    def decode(x0):
        out = plain(x0).clone()
        for i in range(len(x0)):
            if len(seen) == seed_of_first:
                out[i] = float("nan")
            seen.append(i)
        return out

    denoiser.decode = decode
    denoiser.decode_in_float32 = lambda x0: plain(x0) * float("nan")
    return denoiser


@pytest.mark.slow
def test_one_generation_that_is_not_finite_is_recorded_with_its_reason_and_the_rest_goes_on(
    tmp_path, model, run_script, monkeypatch
):
    run(tmp_path / "whole", model, run_script)
    real = checkpoint.load_checkpoint
    monkeypatch.setattr(checkpoint, "load_checkpoint", lambda *a, **k: lose(real(*a, **k), 1))
    run(tmp_path / "one", model, run_script)
    ids = [prompt_id(caption) for caption in CAPTIONS[:3]]
    lost = generation_name(ids[0], 5)
    with (
        ImageArchive(tmp_path / "whole/images.zip") as whole,
        ImageArchive(tmp_path / "one/images.zip") as one,
    ):
        assert seeds_of_prompts(one.names()) == {ids[0]: [0], ids[1]: [0, 5], ids[2]: [0, 5]}
        with pytest.raises(MissingImageError, match="not finite; in float32"):
            one.read(lost)
        for name in set(whole.names()) - {lost}:
            np.testing.assert_array_equal(one.read(name), whole.read(name))
    again = run(tmp_path / "one", model, run_script)  # nothing is made again, and it is still known
    assert again["unet_rows"] == 6 * 3 * 2


def test_generations_that_are_not_finite_end_the_job_when_they_are_many(
    tmp_path, model, run_script, monkeypatch
):
    real = checkpoint.load_checkpoint
    monkeypatch.setattr(
        checkpoint, "load_checkpoint", lambda *a, **k: overflow_at(real(*a, **k), CAPTIONS[1])
    )
    with pytest.raises(NetworkError, match="2 of 6 generations gave no finite number"):
        run(tmp_path, model, run_script)
    assert not list(tmp_path.glob("kept/*/*/prompts.npy"))


def test_no_candidate_makes_an_empty_archive_without_loading_the_model(tmp_path, run_script):
    cost = run(tmp_path, tmp_path / "nowhere", run_script, n=0)
    assert cost["unet_rows"] == 0
    with ImageArchive(tmp_path / "images.zip") as archive:
        assert archive.names() == []


@pytest.mark.slow
def test_the_images_of_a_model_of_two_stages_are_stage_twos_and_each_stage_is_counted(
    tmp_path, run_script, tiny_if, tiny_upscaler
):
    index = tiny_upscaler / "model_index.json"
    run(tmp_path / "whole", tiny_if, run_script, family="if", upscaler=index)
    run(tmp_path / "cut", tiny_if, run_script, size=2, family="if", upscaler=index)
    with (
        ImageArchive(tmp_path / "whole/images.zip") as whole,
        ImageArchive(tmp_path / "cut/images.zip") as cut,
    ):
        assert len(whole.names()) == 6
        for name in whole.names():
            assert whole.read(name).shape == (32, 32, 3)
            assert np.abs(whole.read(name) - cut.read(name)).max() <= 1.01 / 255
    costs = read_table(tmp_path / "cut/cost.parquet", "costs").set_index("stage")
    assert costs["unet_rows"].to_dict() == {"labels": 6 * 3 * 2, "labels_upscaler": 6 * 2 * 2}
    assert (costs["prompts"] == 3).all()


@pytest.mark.slow
def test_another_second_stage_makes_the_images_anew(
    tmp_path, run_script, tiny_if, tiny_upscaler, monkeypatch
):
    from tiny_models import make_if_upscaler

    other = make_if_upscaler(tmp_path / "other", seed=9)
    real, made = stacks.generate_stack, []
    monkeypatch.setattr(
        stacks, "generate_stack", lambda d, c, *r, **k: made.append(c) or real(d, c, *r, **k)
    )
    kept = []
    for folder in (tiny_upscaler, tiny_upscaler, other):
        index = folder / "model_index.json"
        run(tmp_path / "run", tiny_if, run_script, n=2, family="if", upscaler=index)
        with ImageArchive(tmp_path / "run/images.zip") as archive:
            kept.append(archive.read(archive.names()[0]))
    assert len(made) == 2
    assert np.abs(kept[0] - kept[2]).max() > 0.01
