"""Published prompt sets in the config: which files they name, and what is checked before any work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from verbatim.io.columns import PROMPT_SET
from verbatim.io.user_tables import UserTableError, check_columns, count_rows

SIDES = ("positives", "negatives", "pool")
ASKED = "prompt_sets"  # value of dedup.prompt_list: the prompts are those of the sets
KINDS_OF_MATCHES = 2  # negatives of the same template, and of the same subject


def set_files(config: Mapping[str, Any]) -> list[str]:
    """Every file that a set names, each once, in order."""
    found = [
        file
        for block in config["prompt_sets"]["sets"].values()
        for side in SIDES
        for file in block.get(side, {}).get("files", [])
    ]
    return list(dict.fromkeys(found))


def asks_sets(config: Mapping[str, Any]) -> bool:
    """Whether the prompts of the run are those of the sets."""
    return bool(config["dedup"]["prompt_list"] == ASKED)


def planned_set_prompts(config: Mapping[str, Any]) -> int:
    """Most prompts that the sets can have: what shards are planned for. Files that cannot be read count nothing."""
    most = 0
    for block in config["prompt_sets"]["sets"].values():
        counts = {side: 0 for side in SIDES}
        for side in ("positives", "negatives"):
            for file in block.get(side, {}).get("files", []):
                try:
                    counts[side] += count_rows(file)
                except (OSError, ValueError):
                    continue
        matched = KINDS_OF_MATCHES * counts["positives"] if "pool" in block else 0
        most += counts["positives"] + counts["negatives"] + matched
    return most


def set_problems(config: Mapping[str, Any]) -> list[str]:
    """What is wrong with the block `prompt_sets`, a sentence each, with key, file and cure."""
    problems = []
    for name, block in config["prompt_sets"]["sets"].items():
        for side in SIDES:
            part, where = block.get(side, {}), f"config: prompt_sets.sets.{name}.{side}"
            rows = part.get("rows", [])
            if rows and rows[0] >= rows[1]:
                problems.append(
                    f"{where}.rows is {rows}, which holds no row; name the first, from 0, and the one behind the last"
                )
            required = ["caption", "type"] if part.get("types") else ["caption"]
            for file in part.get("files", []):
                try:
                    check_columns(file, PROMPT_SET, required)
                except UserTableError as err:
                    problems.append(f"{where}.files: {err}; correct the path or take it out")
    if asks_sets(config):
        if not config["prompt_sets"]["sets"]:
            problems.append(
                f"config: dedup.prompt_list is {ASKED!r}, but prompt_sets.sets is empty; name the files of a set there"
            )
        extra = config["inputs"]["extra_prompts"]
        if extra not in ("", "world"):
            problems.append(
                f"config: inputs.extra_prompts is {extra!r}, and dedup.prompt_list is {ASKED!r}, which takes the sets "
                "alone; make the file a set of prompt_sets.sets, or empty it"
            )
    return problems
