"""Who imports whom, and what no file does: read off the code."""

import ast
import re

from house import (
    EXCEPTIONS,
    LIBRARY,
    ROOT,
    SCRIPT_FILES,
    SRC,
    is_unsafe,
    may_import,
    modules_of,
    name,
    parsed,
)

from verbatim.config.code import CHANGES_NO_NUMBER


def test_a_stage_imports_no_other_stage():
    """What stages hand each other are files; a stage can be read, tested and replaced alone."""
    offenders = [
        f"{name(file)} imports {module}"
        for file in LIBRARY + SCRIPT_FILES
        for module in modules_of(file)
        if module.startswith("verbatim.")
        and module not in EXCEPTIONS.get(name(file), ())
        and module.split(".")[1] not in may_import(file)
    ]
    assert offenders == []


def test_every_exception_is_still_needed():
    for file, modules in EXCEPTIONS.items():
        assert modules <= set(modules_of(ROOT / "workflow" / file)), file


def test_the_library_knows_nothing_of_snakemake_and_prints_nothing():
    offenders = []
    for file in LIBRARY:
        for module in modules_of(file):
            if module.startswith("snakemake") or module == "verbatim.runtime":  # of scripts only
                offenders.append(f"{name(file)} imports {module}")
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
                offenders.append(f"{name(file)}, line {node.lineno}: print")
    assert offenders == []


def test_no_weights_are_unpickled_and_no_foreign_code_is_run():
    offenders = []
    for file in LIBRARY + SCRIPT_FILES:
        packages = {module.split(".")[0] for module in modules_of(file)}
        unsafe = packages & {"pickle", "dill", "joblib", "cloudpickle", "shelve"}
        offenders += [f"{name(file)} imports {package}" for package in sorted(unsafe)]
        offenders += [
            f"{name(file)}, line {node.lineno}: {ast.unparse(node)}"
            for node in ast.walk(parsed(file))
            if is_unsafe(node)
        ]
    assert offenders == []


def test_code_that_unpickles_or_runs_foreign_code_is_seen():
    for line in ("torch.load(p)", "np.load(p, allow_pickle=True)", "f(trust_remote_code=no)"):
        assert any(is_unsafe(node) for node in ast.walk(ast.parse(line))), line
    assert not any(is_unsafe(node) for node in ast.walk(ast.parse("f(allow_pickle=False)")))


def test_a_script_is_thin():
    wanted = {
        "at most 80 lines": lambda file, text: text.count("\n") <= 80,
        "a docstring": lambda file, text: ast.get_docstring(parsed(file)),
        "main(smk: Any) -> None": lambda file, text: re.search(
            r"^def main\(smk: Any\) -> None:", text, flags=re.M
        ),
        "with script(smk)": lambda file, text: "with script(smk)" in text,
        "settings as params": lambda file, text: (
            not re.search(r"snakemake\.config|smk\.config", text)
        ),
    }
    offenders = [
        f"{name(file)}: {what}"
        for file in SCRIPT_FILES
        for what, holds in wanted.items()
        if not holds(file, file.read_text("utf-8"))
    ]
    assert offenders == []


def test_every_module_that_changes_no_number_is_there():
    for module in CHANGES_NO_NUMBER:
        assert (SRC / f"{module}.py").is_file(), module


def test_contracts_are_sentences_and_read_nothing():
    for file in (ROOT / "workflow/src/verbatim/io/contracts").glob("*.py"):
        text = file.read_text("utf-8")
        imported = set(re.findall(r"^(?:from|import) ([\w.]+)", text, re.M))
        own = {one for one in imported if one.startswith("verbatim.io.contracts.")}
        assert imported - own <= {"__future__", "collections.abc", "dataclasses"}, file
        assert not re.search(r"open\(|read_", text), file
