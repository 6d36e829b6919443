"""The names of every rule's inputs, outputs and params, read from the rule files.

A directive of a rule is the inside of a Python call: names before `=` are read off, and what `**` and `unpack` bring
is asked from the same `Run` and `Audit` that the rules ask, built from the default config.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from verbatim.config.audits import Audit
from verbatim.config.data_files import DataFiles, WorldSource
from verbatim.config.run import Run
from verbatim.config.sheet import read_models

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("input", "output", "params")
# names that no script reads: params that only say when a rule runs again, and pages that go beside an image
UNREAD = {"params": {"loaded", "beside", "detectors_state"}, "output": {"pdf"}}


@dataclass(frozen=True)
class RuleNames:
    """Names of one rule's inputs, outputs and params; inputs of any model that the rule may run for."""

    input: frozenset[str]
    output: frozenset[str]
    params: frozenset[str]


@functools.cache
def _run() -> Run:
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text("utf-8"))
    sheet = read_models(ROOT / "config" / "models_train.tsv", ROOT)
    data = DataFiles(config, WorldSource.of_rows(1, 1), "images", [], "world")
    return Run.of(config, sheet, sheet, data)


def _value(node: ast.expr) -> Any:
    """What `run.data.rows` or `run.pick("dedup", "k batch")` is; other expressions are refused."""
    if isinstance(node, ast.Name) and node.id == "run":
        return _run()
    if isinstance(node, ast.Name) and node.id == "audited":
        return Audit(_run(), "sd1", 1)
    if isinstance(node, ast.Attribute):
        return getattr(_value(node.value), node.attr)
    if isinstance(node, ast.Call):
        return _value(node.func)(*map(ast.literal_eval, node.args))
    raise ValueError(
        f"{ast.unparse(node)}: only `run`, `audited`, their attributes and calls are known"
    )


def _unpacked(function: ast.expr) -> Iterator[str]:
    """Names that an input function gives for any model of the sheet, whatever its candidates are."""
    sheet = _run().models.sheet
    call = _value(function)
    for word in ("own", "top:sd1", "found:sd1", "same:sd1", "authors", "manifest"):
        for model in sheet.index:
            old = sheet.loc[model, "candidates"]
            sheet.loc[model, "candidates"] = word
            _run().config["labels"]["authors"][model] = "labels.parquet"
            yield from call(SimpleNamespace(model=model))
            sheet.loc[model, "candidates"] = old


def _names(directive: str) -> Iterator[str]:
    """Names in the inside of a call: those before `=`, those that `**` brings, those that `unpack` brings."""
    call = ast.parse(f"f({directive})", mode="eval").body
    assert isinstance(call, ast.Call)
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield keyword.arg
        else:
            yield from _value(keyword.value)
    for arg in call.args:
        if isinstance(arg, ast.Call) and ast.unparse(arg.func) == "unpack":
            yield from _unpacked(arg.args[0])


def _directive(text: str, word: str) -> str:
    match = re.search(rf"^    {word}:\n((?: {{8}}.*\n|\n)*)", text, flags=re.M)
    return match[1] if match else ""


@functools.cache
def names_of_rules() -> dict[str, RuleNames]:
    """Rule -> its names."""
    found = {}
    for file in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        parts = re.split(r"^(?:rule|checkpoint) (\w+):\n", file.read_text("utf-8"), flags=re.M)
        for rule, text in zip(parts[1::2], parts[2::2], strict=True):
            found[rule] = RuleNames(
                *(frozenset(_names(_directive(text + "\n", kind))) for kind in KINDS)
            )
    return found


def differences(rule: str, **given: set[str]) -> list[str]:
    """What a test gives a script that its rule does not, and what it leaves out.

    A rule's input may be left out where the script does not read it: what only has to exist, and the code.

    Parameters
    ----------
    rule
        Name of a rule.
    given
        `input`, `output` and `params`: the names that the test gives.
    """
    problems: list[str] = []
    names = names_of_rules().get(rule)
    if names is None:
        return problems
    for kind, mine in given.items():
        theirs = getattr(names, kind)
        if mine - theirs:
            problems.append(f"{rule}: the rule has no {kind} {sorted(mine - theirs)}")
        lacking = theirs - mine - UNREAD.get(kind, theirs)
        if lacking:
            problems.append(f"{rule}: the test lacks the {kind} {sorted(lacking)}")
    return problems


def check_names(
    script: str, inputs: dict[str, Any], outputs: dict[str, Any], params: dict[str, Any]
) -> None:
    """Fail with the `differences` between a script's test and its rule."""
    given = zip(KINDS, (inputs, outputs, params), strict=True)
    problems = differences(Path(script).stem, **{kind: set(names) for kind, names in given})
    assert not problems, "\n".join(problems)
