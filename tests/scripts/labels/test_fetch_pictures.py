"""Rule fetch_pictures where a model has no candidates (what it fetches: tests/scripts/dedup)."""

from __future__ import annotations

from verbatim.images import ImageArchive
from verbatim.records import SCHEMAS, read_table, write_table


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
        "labels/fetch_pictures.py",
        input={name: tmp_path / name for name in names}
        | {"rows": [tmp_path / "rows"], "pairs": [tmp_path / "pairs"]},
        output={
            "pictures": tmp_path / "training.zip",
            "fetched": tmp_path / "fetched",
            "relatives": tmp_path / "relatives",
        },
        params={"relatives": 3},
    )
    assert read_table(tmp_path / "fetched", "fetched").empty
    assert read_table(tmp_path / "relatives", "relatives").empty
    with ImageArchive(tmp_path / "training.zip") as archive:
        assert archive.names() == []
