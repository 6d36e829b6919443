"""From a folder of images and a manifest to a row of Table 1: no model, no score, labels only."""

import unicodedata

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from verbatim.io.images import ImageArchive, encode_png, row_name, to_uint8, write_archive
from verbatim.io.missing import MissingError
from verbatim.io.records import prompt_id, read_table, write_table
from verbatim.labels.closed_system import GenerationsError
from verbatim.tables import checks

PARAMS = {
    "preset": "paper", "thresholds": {"mv": 0.12, "rv": 0.12, "tv": 0.12},
    "order": ["MV", "RV", "TV"], "seeds": [], "size": 16,
    "mask": {
        "low": 0.02255, "high": 0.2, "difference": 0.03, "erode": 1, "dilate": 1, "min_area": 0.3,
        "partners": 1, "sources": 10,
    },
    "guards": {
        "near_constant": 0.98, "flat_range": 0.03, "white": 0.95, "edge_density": 0.9,
        "edge_step": 0.1,
    },
}  # fmt: skip
OWN, OTHER, STRANGER = (prompt_id(caption) for caption in ("own", "other", "stranger"))


def image(seed):
    coarse = np.random.default_rng(seed).random((4, 4, 3), dtype=np.float32)
    return coarse.repeat(4, axis=0).repeat(4, axis=1)


@pytest.fixture
def folder(tmp_path):
    """What a user brings: three prompts, one with two images, and what goes wrong in such folders."""
    folder = tmp_path / "midjourney"
    (folder / "grid").mkdir(parents=True)
    for name, seed in (("own.png", 1), ("grid/a.png", 7), ("grid/b.png", 2), ("extra.png", 5)):
        (folder / name).write_bytes(encode_png(image(seed)))
    (folder / "broken.png").write_bytes(b"\x89PNG but not much more")
    (folder / "manifest.csv").write_text(
        "file,prompt,seed,steps\n"
        "own.png,own,11,25\n"
        "grid/a.png,other,99,\n"
        "grid/b.png,other,99,\n"
        "grid/b.png,other,99,\n"
        "broken.png,stranger,,\n"
        "gone.png,stranger,,\n"
        "../../secret.png,stranger,,\n"
        "extra.png,,,\n"
    )
    return folder


def build(folder, run_script, tmp_path, most_missing=0.6):
    run_script(
        "labels/build_generations.py", input={"manifest": folder / "manifest.csv"},
        output={k: tmp_path / f"{k}.parquet" for k in ("cost", "generations")}
        | {"images": tmp_path / "images.zip"},
        params={"most_missing": most_missing, "may_be_empty": False},
        wildcards={"model": "midjourney"},
    )  # fmt: skip
    return read_table(tmp_path / "generations.parquet", "generations")


def select(run_script, tmp_path, candidates="manifest", **files):
    prompts = pd.DataFrame(
        {"prompt_id": [OWN, 77], "caption": ["own", "elsewhere"], "row": [10, 60], "cluster": -1,
         "cluster_size": 1, "caption_count": 1, "share_equal_captions": 1.0, "extra": False,
         "rank": [0, 1]}
    )  # fmt: skip
    write_table(tmp_path / "prompts", "prompts", prompts)
    run_script(
        "labels/select_generations.py",
        input={"generations": tmp_path / "generations.parquet", "prompts": tmp_path / "prompts"} | files,
        output={"selection": tmp_path / "selection"},
        params={"candidates": candidates, "found_in": [], "n_prompts": 9},
        wildcards={"model": "midjourney"},
    )  # fmt: skip
    return read_table(tmp_path / "selection", "selection")


def test_every_line_of_the_manifest_ends_in_a_state(folder, run_script, tmp_path):
    table = build(folder, run_script, tmp_path)
    assert table["status"].tolist() == [
        "ok", "ok", "ok", "duplicate", "broken", "missing", "refused", "refused",
    ]  # fmt: skip
    assert table["seed"].tolist()[:3] == [11, 0, 1]
    assert table["given_seed"].tolist()[:4] == [11, 99, 99, 99]
    with ImageArchive(tmp_path / "images.zip") as archive:
        assert archive.names() == [f"{OWN}_11.png", f"{OTHER}_0.png", f"{OTHER}_1.png"]
        assert np.array_equal(archive.read(f"{OTHER}_1.png"), np.rint(image(2) * 255) / np.float32(255))  # fmt: skip
    assert "'../../secret.png': the name leads out" in (tmp_path / "job.log").read_text()
    cost = read_table(tmp_path / "cost.parquet", "costs")
    assert cost[["prompts", "unet_rows"]].to_numpy().tolist() == [[3, 0]]
    assert checks.costs_positive(cost, closed=["midjourney"]) == []
    assert "labels/midjourney" in checks.costs_positive(cost)[0]


def test_a_folder_without_images_leaves_no_tables(folder, run_script, tmp_path):
    for file in folder.rglob("*.png"):
        file.unlink()
    with pytest.raises(GenerationsError, match="no image can be used"):
        build(folder, run_script, tmp_path)
    assert not (tmp_path / "generations.parquet").exists()


def test_a_manifest_most_of_whose_images_are_missing_ends_the_job(folder, run_script, tmp_path):
    with pytest.raises(
        MissingError,
        match=r"4 of 7 images that .*manifest\.csv lists (.|\n)*Look whether its names",
    ):
        build(folder, run_script, tmp_path, most_missing=0.5)
    assert not (tmp_path / "generations.parquet").exists()


def test_an_image_that_a_camera_stored_turned_is_read_upright(folder, run_script, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.fromarray(to_uint8(image(1))[:8])
    lying.transpose(Image.Transpose.ROTATE_90).save(folder / "own.png", exif=exif)
    build(folder, run_script, tmp_path)
    with ImageArchive(tmp_path / "images.zip") as archive:
        assert np.array_equal(to_uint8(archive.read(f"{OWN}_11.png")), np.asarray(lying))


def test_a_file_is_looked_up_by_its_name_in_other_letters_and_without_its_suffix(
    folder, run_script, tmp_path
):
    """A folder that came from Windows or macOS, and a manifest that a spreadsheet has been through."""
    composed = unicodedata.normalize("NFC", "caf\u00e9.png")
    (folder / "own.png").rename(folder / "OWN.PNG")
    (folder / "extra.png").rename(folder / unicodedata.normalize("NFD", composed))
    for name in ("two.png", "two.jpg"):
        (folder / name).write_bytes((folder / "OWN.PNG").read_bytes())
    lines = [
        "own.png,own",
        f"{composed},other",
        "grid/a,other",
        "two,stranger",
        "two.PNG,stranger",
        "twice.png,x",
    ]
    (folder / "manifest.csv").write_text("file,prompt\n" + "\n".join(lines) + "\n", "utf-8")
    (folder / "Twice.png").write_bytes(b"")
    (folder / "TWICE.png").write_bytes(b"")
    table = build(folder, run_script, tmp_path)
    assert table["status"].tolist() == ["ok", "ok", "ok", "refused", "ok", "refused"]
    assert "'two.jpg' and 'two.png'" in table["reason"][3]
    assert "'TWICE.png' and 'Twice.png'" in table["reason"][5]


def test_a_ranking_restricts_the_manifest(folder, run_script, tmp_path):
    build(folder, run_script, tmp_path)
    assert len(select(run_script, tmp_path)) == 3
    ranks = pd.DataFrame(
        {"prompt_id": [OWN, 77], "ecs": 0.5, "ecs_reference": 0.5, "ecs_paper": 0.5, "ecs_world": 0.5,
         "seed_consistency": 0.0, "seed_ssim": 0.5, "n_seeds": 4, "preset": "world", "rank": [1, 0]}
    )  # fmt: skip
    write_table(tmp_path / "ecs", "blackbox", ranks)
    table = select(run_script, tmp_path, "top:sd1", ecs=tmp_path / "ecs")
    assert table[["caption", "why"]].to_numpy().tolist() == [["own", "top:sd1"]]


def test_a_caption_that_is_in_the_data_has_its_row_also_where_dedup_did_not_select_it(
    folder, run_script, tmp_path
):
    build(folder, run_script, tmp_path)
    captions = [["elsewhere", "own", "stranger"], ["other", "other", "stranger"]]
    states = [["ok", "ok", "bad_embedding"], ["ok", "ok", "ok"]]
    shards = [tmp_path / f"rows{i}" for i in range(2)]
    for i, file in enumerate(shards):
        rows = {
            "row": [3 * i, 3 * i + 1, 3 * i + 2], "url": "", "caption": captions[i], "width": 8,
            "height": 8, "archive": "", "member": "", "status": states[i], "reason": "",
        }  # fmt: skip
        write_table(file, "rows", pd.DataFrame(rows))
    table = select(run_script, tmp_path, rows=shards).set_index("prompt_id")
    # dedup's row stays the first's; of rows with one caption the lowest; an unusable row is none
    assert table["row"].to_dict() == {OWN: 10, OTHER: 3, STRANGER: 5}
    assert set(table["why"]) == {"manifest"}


def test_the_images_become_a_row_of_table_1(folder, run_script, tmp_path):
    build(folder, run_script, tmp_path)
    selection = select(run_script, tmp_path)
    assert selection.set_index("prompt_id")["row"].to_dict() == {OWN: 10, OTHER: -1, STRANGER: -1}
    # row 10 is the first prompt's own; row 21 is what retrieval finds for the second's second image
    write_archive(tmp_path / "training.zip", [(row_name(10), image(1)), (row_name(21), image(2))])
    tables = {
        "neighbours": [(OTHER, 1, 0, 21, 0.9), (OTHER, 0, 0, 10, 0.4)],
        "fetched": [(10, "own", row_name(10), "ok", ""), (21, "x", row_name(21), "ok", "")],
        "relatives": [],
    }
    columns = {
        "neighbours": ["prompt_id", "seed", "order", "row", "similarity"],
        "fetched": ["row", "caption", "member", "status", "reason"],
        "relatives": ["row", "relative", "similarity", "order"],
    }
    for kind, rows in tables.items():
        write_table(tmp_path / kind, kind, pd.DataFrame(rows, columns=columns[kind]))
    run_script(
        "labels/label_candidates.py",
        input={k: tmp_path / k for k in ("selection", *tables)}
        | {k: tmp_path / f"{k}.zip" for k in ("images", "training")},
        output={"labels": tmp_path / "labels", "masks": tmp_path / "masks.zip"},
        params={**PARAMS, "prompts_a_shard": 100, "last": True},
        wildcards={"model": "midjourney", "shard": "00000"},
    )  # fmt: skip
    labels = read_table(tmp_path / "labels", "labels")
    found = labels.set_index("prompt_id")[["label", "seed", "source_row", "review"]]
    assert found.loc[OWN].tolist() == ["MV", 11, 10, False]
    assert found.loc[OTHER].tolist() == ["RV", 1, 21, False]
    assert found.loc[STRANGER].tolist() == ["missing", -1, -1, False]
    with ImageArchive(tmp_path / "images.zip") as archive:
        assert checks.generations_complete("x", labels, None, archive.names()) == []
        assert checks.generations_complete("x", labels, None, archive.names()[1:]) != []

    write_table(tmp_path / "clusters", "clusters", pd.DataFrame(columns=["row", "cluster"]))
    model = {"model": "midjourney", "name": "Midjourney v4", "deduplicated": "unknown"}
    run_script(
        "tables/count_labels.py",
        input={"labels": [tmp_path / "labels"], "clusters": tmp_path / "clusters", "decisions": []},
        output={"table": tmp_path / "table1.csv"}, params={"models": [model], "known": ["midjourney"]},
    )  # fmt: skip
    (row,) = pd.read_csv(tmp_path / "table1.csv").to_dict("records")
    counts = (
        "Model",
        "Deduplicated training",
        "Retrieved",
        "Template",
        "Exact",
        "Judged",
        "Missing",
    )
    assert [row[k] for k in counts] == ["Midjourney v4", "unknown", 1, 0, 1, 2, 1]
