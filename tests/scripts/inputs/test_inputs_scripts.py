"""The scripts of inputs on made sources of the layouts that tests/scripts/dedup does not walk through."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from made_inputs import png, random_units, write_tar

import verbatim.models.clip
from verbatim.inputs.archives import are_held
from verbatim.inputs.layouts import InputError
from verbatim.io.missing import MissingError
from verbatim.io.records import read_manifest, read_table


def check_and_build(
    run_script,
    folder,
    embeddings: list,
    tables: list,
    images: str = "",
    most_missing: float = 0.5,
) -> pd.DataFrame:
    """check_inputs and build_rows of all shards: the rows of all."""
    run_script(
        "inputs/check_inputs.py",
        input={"embeddings": embeddings, "metadata": tables},
        output={"manifest": folder / "manifest.tsv", "archives": folder / "archives.tsv"},
        params={"images": images, "most_missing": most_missing},
    )
    found = []
    for shard in read_manifest(folder / "manifest.tsv")["shard"]:
        run_script(
            "inputs/build_rows.py",
            input={"manifest": folder / "manifest.tsv", "archives": folder / "archives.tsv"},
            output={"rows": folder / f"{shard}.parquet"},
            params={"norm_tolerance": 0.01, "min_caption_chars": 1, "max_caption_chars": 99},
            wildcards={"shard": shard},
        )
        found.append(read_table(folder / f"{shard}.parquet", "rows"))
    return pd.concat(found, ignore_index=True)


def write_laion(folder, sizes: list[int]) -> list:
    start, paths = 0, []
    for number, size in enumerate(sizes):
        rows = range(start, start + size)
        paths.append(folder / f"part-{number:05d}-x-c000.snappy.parquet")
        table = {
            "URL": [f"u{i}" for i in rows],
            "TEXT": [f"caption {i}" for i in rows],
            "NSFW": "UNLIKELY",
        }
        pd.DataFrame(table).to_parquet(paths[-1])
        start += size
    return paths


def test_laions_tables_give_every_embedding_its_own_caption(tmp_path, run_script):
    tables = write_laion(tmp_path, [7, 2])
    arrays = []
    for number, size in enumerate([4, 5]):
        arrays.append(tmp_path / f"img_emb_{number}.npy")
        np.save(arrays[-1], random_units(size).astype(np.float16))
    rows = check_and_build(run_script, tmp_path, arrays, tables)
    assert rows["row"].tolist() == list(range(9))
    assert rows["caption"].tolist() == [f"caption {i}" for i in range(9)]
    assert rows["url"].tolist() == [f"u{i}" for i in range(9)]
    log = (tmp_path / "job.log").read_text()
    assert "NSFW in the source: {'UNLIKELY': 5}" in log


def test_tables_alone_give_captions_and_urls(tmp_path, run_script):
    rows = check_and_build(run_script, tmp_path, [], write_laion(tmp_path, [3, 2]))
    assert rows["url"].tolist() == [f"u{i}" for i in range(5)]
    assert set(rows["status"]) == {"ok"}


class GreyEmbedder:
    """Mean grey, as a unit vector."""

    size, dim = 4, 2

    def __init__(self, folder, device):
        pass

    def embed_images(self, images, batch):
        angle = images.mean(axis=(1, 2, 3))
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def test_img2datasets_images_are_embedded_and_failed_downloads_are_recorded(
    tmp_path, run_script, monkeypatch
):
    monkeypatch.setattr(verbatim.models.clip, "ClipEmbedder", GreyEmbedder)
    keys = [f"00000{i:04d}" for i in range(4)]
    tar = write_tar(
        tmp_path / "data" / "00000.tar", {f"{keys[i]}.png": png(60 * i, (9, 5)) for i in (0, 1, 3)}
    )
    table = {
        "url": "u", "caption": "c", "key": keys, "error_message": [None, None, "HTTP Error 404", None],
        "status": ["success", "success", "failed_to_download", "success"],
    }  # fmt: skip
    pd.DataFrame(table).to_parquet(tar.with_suffix(".parquet"))
    array = tmp_path / "img_emb_00000.npy"
    run_script(
        "inputs/embed_images.py",
        input={
            "archive": tar,
            "metadata": tar.with_suffix(".parquet"),
            "clip": tmp_path / "clip.json",
        },
        output={"embeddings": array},
        params={"batch": 2, "most_missing": 0.5},
    )
    made = np.load(array)
    assert (made.shape, made.dtype) == ((4, 2), np.float16)
    np.testing.assert_allclose(np.arctan2(made[:, 1], made[:, 0]) * 255, [0, 60, 0, 180], atol=0.5)
    rows = check_and_build(
        run_script, tmp_path, [array], [tar.with_suffix(".parquet")], str(tar.parent)
    )
    assert rows["status"].tolist() == ["ok", "ok", "bad_embedding", "ok"]
    assert rows["reason"][2] == "no image (failed_to_download: HTTP Error 404)"
    assert are_held(rows["archive"], rows["member"]).tolist() == [True, True, False, True]


def test_digests_are_what_sha256sum_prints_each_file_once(tmp_path, run_script):
    tables = write_laion(tmp_path, [9])
    arrays = []
    for number, size in enumerate([4, 5]):
        arrays.append(tmp_path / f"img_emb_{number}.npy")
        np.save(arrays[-1], random_units(size).astype(np.float16))
    check_and_build(run_script, tmp_path, arrays, tables)
    parts = [tmp_path / f"{i}.txt" for i in range(2)]
    for i, part in enumerate(parts):
        run_script(
            "inputs/check_digests.py",
            input={"manifest": tmp_path / "manifest.tsv"},
            output={"digests": part},
            wildcards={"shard": f"{i:05d}"},
        )
    run_script(
        "inputs/merge_digests.py",
        input={"digests": parts},
        output={"digests": tmp_path / "sha256.txt"},
    )
    found = dict(
        reversed(line.split("  ")) for line in (tmp_path / "sha256.txt").read_text().splitlines()
    )
    assert found == {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in (*arrays, *tables)
    }
    assert len((tmp_path / "sha256.txt").read_text().splitlines()) == 3


KEYS = [f"00000{i:04d}" for i in range(6)]


def write_source(folder, names: list[str], keys=KEYS, status: str = "success"):
    """An img2dataset shard whose archive has these members, and its table."""
    images = {name: png(40 * i, (9, 5)) for i, name in enumerate(names)}
    tar = write_tar(folder / "data" / "00000.tar", images)
    table = {"url": "u", "caption": "c", "key": keys, "status": status, "error_message": ""}
    pd.DataFrame(table).to_parquet(tar.with_suffix(".parquet"))
    return tar


def embed(run_script, tar, most_missing: float = 0.5):
    array = tar.parent / "img_emb_00000.npy"
    run_script(
        "inputs/embed_images.py",
        input={"archive": tar, "metadata": tar.with_suffix(".parquet"), "clip": tar.parent / "c"},
        output={"embeddings": array},
        params={"batch": 2, "most_missing": most_missing},
    )
    return np.load(array)


@pytest.mark.parametrize(
    "keys",
    [KEYS, pd.array([0, 1, 2, 3, 4, 5]), pd.array([0.0, 1, 2, 3, 4, None]), [k.lstrip("0") or "0" for k in KEYS]],
    ids=["text", "numbers", "floats with a gap", "text without zeros"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["./{}.jpg", "00000/{}.PNG", "{}.webp"])
def test_images_are_found_whatever_happened_to_keys_and_names(
    tmp_path, run_script, monkeypatch, keys, name
):
    monkeypatch.setattr(verbatim.models.clip, "ClipEmbedder", GreyEmbedder)
    tar = write_source(tmp_path, [name.format(key) for key in KEYS], keys)
    made = embed(run_script, tar)
    rows = check_and_build(
        run_script, tmp_path, [tar.parent / "img_emb_00000.npy"], [tar.with_suffix(".parquet")], str(tar.parent)
    )  # fmt: skip
    there = 5 if "Float" in str(getattr(keys, "dtype", "")) else 6
    np.testing.assert_allclose(
        np.arctan2(made[:there, 1], made[:there, 0]) * 255, 40 * np.arange(there), atol=0.5
    )
    assert are_held(rows["archive"], rows["member"]).sum() == there


def test_a_shard_most_of_whose_images_are_missing_ends_the_job_unless_its_table_says_why(
    tmp_path, run_script, monkeypatch
):
    monkeypatch.setattr(verbatim.models.clip, "ClipEmbedder", GreyEmbedder)
    tar = write_source(tmp_path / "a", [f"{key}.jpg" for key in KEYS[:2]])
    with pytest.raises(
        MissingError,
        match=r"4 of 6 images that .*00000\.parquet lists (.|\n)*has no image '000000002'",
    ):
        embed(run_script, tar)
    assert not (tar.parent / "img_emb_00000.npy").exists()
    assert (np.abs(embed(run_script, tar, 1)).sum(axis=1) > 0).tolist() == [
        True,
        True,
        *[False] * 4,
    ]
    failed = ["success", "success", *["failed_to_download"] * 4]
    tar = write_source(tmp_path / "b", [f"{key}.jpg" for key in KEYS[:2]], status=failed)
    assert len(embed(run_script, tar)) == 6
    assert "0 of images that the table has" in (tmp_path / "job.log").read_text().replace(
        "them of ", ""
    )


def test_tables_whose_keys_lead_to_no_archive_are_refused_before_any_work(tmp_path, run_script):
    tar = write_source(tmp_path, [f"{key}.jpg" for key in KEYS])
    tables = write_laion(tmp_path, [7, 2])
    with pytest.raises(InputError, match=r"no key of the tables .*none \(no column \('key', "):
        check_and_build(run_script, tmp_path, [], tables, str(tar.parent))
    other = tmp_path / "metadata_0.parquet"
    pd.DataFrame({"url": "u", "caption": "c", "key": ["000990000", "000990001"]}).to_parquet(other)
    with pytest.raises(
        InputError, match=r"such as '000990000', '000990001', .*00000\.tar, \.\.\. the keys 0 to 5"
    ):
        check_and_build(run_script, tmp_path, [], [other], str(tar.parent))
    assert len(check_and_build(run_script, tmp_path, [], [other], str(tar.parent), 1)) == 2


@pytest.mark.parametrize("harm", ["none", "missing", "no tar"])
def test_a_damaged_archive_holds_nothing(tmp_path, harm):
    tar = write_tar(tmp_path / "0.tar", {"0.png": png()})
    if harm == "missing":
        tar.unlink()
    elif harm == "no tar":
        tar.write_bytes(b"no tar at all")
    held = are_held([str(tar), str(tar), ""], ["0.png", "1.png", ""])
    assert held.tolist() == [harm == "none", False, False]
