"""Rules select_images, fetch_urls and fetch_images (which rows are wanted: tests/scripts/dedup)."""

from __future__ import annotations

from functools import partial

import pandas as pd
import pytest
from image_server import Imageserver
from made_inputs import png, write_tar

from verbatim.inputs import download
from verbatim.io.images import ImageArchive
from verbatim.io.missing import MissingError
from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.io.seals import DamagedError

LIMITS = {
    "retry_failed": False, "workers": 4, "per_host": 2, "retries": 0, "timeout": 2.0, "deadline": 5.0,
    "max_bytes": 100_000, "max_redirects": 2, "disallowed": ["noai"],
}  # fmt: skip


def test_no_candidate_makes_empty_tables_and_an_empty_archive(tmp_path, run_script):
    for kind in ("selection", "neighbours", "pairs", "clusters", "copies"):
        write_table(tmp_path / kind, kind, SCHEMAS[kind].empty_table().to_pandas())
    row = {
        "row": [1], "url": "", "caption": "c", "width": 4, "height": 4, "archive": "00000.tar",
        "member": "1.jpg", "status": "ok", "reason": "",
    }  # fmt: skip
    write_table(tmp_path / "rows", "rows", row)
    names = ("selection", "neighbours", "clusters", "copies")
    run_script(
        "labels/select_images.py",
        input={name: tmp_path / name for name in names}
        | {"rows": [tmp_path / "rows"], "pairs": [tmp_path / "pairs"]},
        output={"wanted": tmp_path / "wanted", "relatives": tmp_path / "relatives"},
        params={"relatives": 3},
    )
    fetch_urls(tmp_path, run_script)
    fetch_images(tmp_path, run_script, [tmp_path / "urls"])
    assert read_table(tmp_path / "fetched", "fetched").empty
    assert read_table(tmp_path / "relatives", "relatives").empty
    with ImageArchive(tmp_path / "training.zip") as archive:
        assert archive.names() == []


def fetch_urls(folder, run_script, most_missing: float = 1) -> None:
    run_script(
        "labels/fetch_urls.py",
        input={"wanted": folder / "wanted"},
        output={"urls": folder / "urls"},
        params={"cache": folder / "cache", "most_missing": most_missing, **LIMITS},
    )


def fetch_images(folder, run_script, urls: list, most_missing: float = 1) -> pd.DataFrame:
    run_script(
        "labels/fetch_images.py",
        input={"wanted": folder / "wanted", "urls": str(urls[0]) if urls else []},
        output={"images": folder / "training.zip", "fetched": folder / "fetched"},
        params={"cache": folder / "cache", "most_missing": most_missing},
    )
    return read_table(folder / "fetched", "fetched").set_index("row")


@pytest.fixture
def wanted(tmp_path):
    """Rows 0 and 1 in an archive, 1 broken; 2 not in it; 3 without an archive; 4 without a url; 5 nowhere."""
    tar = str(write_tar(tmp_path / "00000.tar", {"0.png": png(10), "1.png": b"broken"}))
    server = Imageserver()
    server.images = {"/2": png(20), "/3": png(30)}
    with server:
        rows = {
            "row": range(6), "caption": "c", "archive": [tar, tar, tar, "", "", ""],
            "member": ["0.png", "1.png", "2.png", "", "", ""],
            "url": [f"{server.url}/{i}" if i != 4 else "" for i in range(6)],
        }  # fmt: skip
        write_table(tmp_path / "wanted", "wanted", rows)
        yield server


@pytest.fixture
def loopback_allowed(monkeypatch):
    """The one door to this machine: no setting of a run opens it."""
    resolver = partial(download.Resolver, allow_private=["127.0.0.1"])
    monkeypatch.setattr(download, "Resolver", resolver)


@pytest.mark.usefixtures("loopback_allowed")
def test_only_what_no_archive_has_is_fetched_and_missing_stays_missing(
    tmp_path, run_script, wanted
):
    fetch_urls(tmp_path, run_script)
    assert sorted(wanted.asked) == ["/2", "/3", "/5"]
    urls = read_table(tmp_path / "urls", "urls").set_index("row")
    assert urls["status"].to_dict() == {2: "ok", 3: "ok", 4: "no_url", 5: "failed_to_download"}
    fetched = fetch_images(tmp_path, run_script, [tmp_path / "urls"])
    assert fetched["status"].tolist() == ["ok", "broken", "ok", "ok", "missing", "missing"]
    assert "failed_to_download: HTTP 404" in fetched["reason"][5]
    with ImageArchive(tmp_path / "training.zip") as archive:
        assert archive.names() == ["0.png", "2.png", "3.png"]
        for row, grey in ((0, 10), (2, 20), (3, 30)):
            assert archive.read(f"{row}.png").mean() == pytest.approx(grey / 255)


@pytest.mark.usefixtures("loopback_allowed")
@pytest.mark.parametrize("name", ["./{}.jpg", "00000/{}.PNG", "0000{}.webp"])
def test_the_network_is_not_asked_for_what_lies_on_the_disk_under_another_name(
    tmp_path, run_script, name
):
    members = {name.format(i): png(10 * i) for i in range(3)} | {"a/3.jpg": png(), "b/3.jpg": png()}
    tar = str(write_tar(tmp_path / "00000.tar", members))
    with Imageserver() as server:
        rows = {
            "row": range(5), "caption": "c", "archive": tar, "member": list("01234"),
            "url": [f"{server.url}/{i}" for i in range(5)],
        }  # fmt: skip
        write_table(tmp_path / "wanted", "wanted", rows)
        fetch_urls(tmp_path, run_script)
        assert server.asked == ["/4"]
    fetched = fetch_images(tmp_path, run_script, [tmp_path / "urls"])
    assert fetched["status"].tolist() == ["ok", "ok", "ok", "broken", "missing"]
    assert "both the image of key '3'" in fetched["reason"][3]


@pytest.mark.usefixtures("loopback_allowed")
def test_most_images_missing_ends_the_job_with_the_reasons_and_leaves_no_table(
    tmp_path, run_script, wanted
):
    with pytest.raises(MissingError, match=r"5 of 6 training images (.|\n)*inputs\.fetch_urls"):
        fetch_images(tmp_path, run_script, [], most_missing=0.5)
    assert not (tmp_path / "fetched").exists()
    with pytest.raises(
        MissingError, match=r"2 of 6 training images (.|\n)*no_url(.|\n)*retry_failed"
    ):
        fetch_urls(tmp_path, run_script, most_missing=0.3)
    assert not (tmp_path / "urls").exists()
    asked = len(wanted.asked)
    fetch_urls(tmp_path, run_script, most_missing=0.5)  # two of six: and nothing is asked twice
    assert len(wanted.asked) == asked


def test_nothing_is_fetched_without_being_asked_for(tmp_path, run_script, wanted):
    fetched = fetch_images(tmp_path, run_script, [])
    assert fetched["status"].tolist() == ["ok", "broken", *["missing"] * 4]
    assert wanted.asked == []


def test_a_run_refuses_this_machines_own_addresses(tmp_path, run_script, wanted):
    fetch_urls(tmp_path, run_script)
    urls = read_table(tmp_path / "urls", "urls").set_index("row")
    assert urls["status"].to_dict() == {
        i: "no_url" if i == 4 else "refused_address" for i in (2, 3, 4, 5)
    }
    assert wanted.asked == []


@pytest.mark.usefixtures("loopback_allowed")
@pytest.mark.parametrize("harm", ["changed", "lost"])
def test_a_image_that_is_gone_from_the_cache_ends_the_job_and_is_fetched_again(
    tmp_path, run_script, wanted, harm
):
    fetch_urls(tmp_path, run_script)
    for file in (tmp_path / "cache").rglob("*"):
        if file.is_file() and png(20) in file.read_bytes():
            if harm == "lost":
                file.unlink()
            else:
                file.write_bytes(file.read_bytes().replace(png(20), png(30)))
    with pytest.raises(DamagedError, match=r"not the file that was fetched from .*urls\.parquet"):
        fetch_images(tmp_path, run_script, [tmp_path / "urls"])
    (tmp_path / "urls").unlink()
    fetch_urls(tmp_path, run_script)
    fetched = fetch_images(tmp_path, run_script, [tmp_path / "urls"])
    assert fetched["status"][2] == fetched["status"][3] == "ok"
