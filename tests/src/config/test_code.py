"""Which library modules and packages a script reaches."""

from pathlib import Path

import pytest

from verbatim.config import code

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A library of three modules, of which `numbers` computes and `records` moves data."""
    home = tmp_path / "src" / "verbatim"
    (home / "io").mkdir(parents=True)
    (home / "numbers.py").write_text(
        "from verbatim import helpers\ndef used():\n    return helpers.half(2)\n"
        "def unused():\n    from verbatim import slow\n    import faiss\n"
    )
    (home / "helpers.py").write_text("import scipy.stats\ndef half(x):\n    return x / 2\n")
    (home / "slow.py").write_text("import torch\n")
    (home / "io" / "records.py").write_text("from verbatim import slow\ndef read():\n    pass\n")
    monkeypatch.setattr(code, "SRC", tmp_path / "src")
    return tmp_path


def written(folder: Path, text: str) -> Path:
    file = folder / f"script_{abs(hash(text))}.py"
    file.write_text(text)
    return file


def test_imports_inside_functions_count_only_where_the_function_is_reached(library):
    script = written(library, "from verbatim.numbers import used\nused()\n")
    assert code.code_of(script) == ("helpers", "numbers")
    assert code.imported_packages(script) == {"scipy"}
    script = written(library, "from verbatim.numbers import unused\nunused()\n")
    assert code.code_of(script) == ("helpers", "numbers", "slow")
    assert code.imported_packages(script) == {"scipy", "faiss", "torch"}


def test_a_module_that_changes_no_number_is_left_out_and_followed(library):
    script = written(library, "from verbatim.io.records import read\nread()\n")
    assert code.code_of(script) == ("slow",)


def test_imports_for_type_checking_do_not_count(library):
    script = written(
        library,
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from verbatim import slow\n",
    )
    assert code.code_of(script) == ()


def test_only_what_is_used_of_a_script_counts_when_names_are_given(library):
    script = written(library, "def a():\n    import faiss\ndef b():\n    import scipy\n")
    assert code.imported_packages(script, {"b"}) == {"scipy"}


def test_the_real_dcs_rule_depends_on_the_file_that_computes_dcs_and_on_no_other_stage():
    modules = code.code_of(ROOT / "workflow/scripts/whitebox/denoise_whitebox.py")
    assert "whitebox/dcs" in modules
    assert not [
        name for name in modules if name.startswith(("blackbox/", "labels/", "sweep/", "claims/"))
    ]


@pytest.fixture
def processes(library, monkeypatch):
    """A function after which everything is asked as a new process asks it; the last one has kept what it found."""
    monkeypatch.setattr(code, "HOME", library)
    monkeypatch.setattr(code, "KEPT", library / "kept.json")
    monkeypatch.setattr(code.sys, "dont_write_bytecode", False)

    def begin(keep=True):
        if keep:
            code._keep()
        for one in (code._kept, code._parts, code._names, code.code_of):
            one.cache_clear()

    begin(keep=False)
    yield begin
    begin(keep=False)
    code.atexit.unregister(code._keep)


def test_a_file_is_parsed_once_for_all_processes_until_it_changes(library, processes, monkeypatch):
    script = written(library, "from verbatim.numbers import used\nused()\n")
    assert code.code_of(script) == ("helpers", "numbers")
    processes()
    parsed = []
    parse = code._parse
    monkeypatch.setattr(code, "_parse", lambda file: parsed.append(file) or parse(file))
    assert code.code_of(script) == ("helpers", "numbers")
    assert code.imported_packages(script) == {"scipy"}
    assert not parsed
    helpers = library / "src/verbatim/helpers.py"
    helpers.write_text("from verbatim import slow\ndef half(x):\n    return x / 2\n")
    processes(keep=False)
    assert code.code_of(script) == ("helpers", "numbers", "slow")
    assert parsed == [helpers, library / "src/verbatim/slow.py"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"of": 1}', '{"files": {}}'])
def test_what_was_kept_and_is_damaged_is_found_anew(library, processes, text):
    script = written(library, "from verbatim.numbers import used\nused()\n")
    (library / "kept.json").write_text(text)
    assert code.code_of(script) == ("helpers", "numbers")
