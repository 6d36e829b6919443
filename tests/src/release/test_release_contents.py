"""Names of files in a release, and what is told of them."""

import hashlib
from pathlib import Path

import pytest

from verbatim.release.release_contents import Disclosure, Places
from verbatim.release.software import read_lock

HOME = Path("/work place/verbatim")
PLACES = Places(HOME, Path("/data/run 1"))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/run 1/tables/costs.csv", "results/tables/costs.csv"),
        ("/work place/verbatim/config/config.yaml", "config/config.yaml"),
        ("/work place/verbatim/workflow/rules/../report/page.html", "workflow/report/page.html"),
        ("/work place/verbatim/.venv/lib/site-packages/emoji/a.json", "outside/site-packages/emoji/a.json"),
    ],
)  # fmt: skip
def test_a_name_tells_where_a_file_is_in_the_run_and_not_on_the_machine(path, name):
    assert PLACES.name(path) == name


def test_files_from_elsewhere_keep_their_names_alone_and_stay_apart():
    one, two = PLACES.name("/home/ada/a/x.parquet"), PLACES.name("/home/ada/b/x.parquet")
    assert one != two
    for name in (one, two):
        assert name.startswith("outside/")
        assert name.endswith("/x.parquet")
        assert "ada" not in name
    assert PLACES.name("/home/ada/a/y.parquet").rpartition("/")[0] == one.rpartition("/")[0]


def test_results_inside_the_checkout_are_results():
    inside = Places(HOME, HOME / "results" / "smoke")
    assert inside.name(HOME / "results" / "smoke" / "table1.csv") == "results/table1.csv"


def test_size_and_digest_are_told_up_to_the_size_and_never_of_a_folder_or_a_missing_file(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(b"12345")
    said = {"contentSize": "5", "sha256": hashlib.sha256(b"12345").hexdigest()}
    assert Disclosure(False, 5).properties(file) == said
    assert Disclosure(False, 4).properties(file) == {"contentSize": "5"}
    assert Disclosure(True, 5).properties(file) == {}
    assert Disclosure(True, 0).properties(file, handed_on=True) == said
    assert Disclosure(False, 5).properties(tmp_path) == {}
    assert Disclosure(False, 5).properties(tmp_path / "none") == {}


def test_the_lock_is_read_without_hashes_markers_and_comments():
    text = "A_b.c==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n    # via d==2\nd==2.1+cu126\n"
    assert read_lock(text) == {"a-b-c": "1.0", "d": "2.1+cu126"}
