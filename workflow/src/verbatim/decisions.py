"""What people decided of candidates: config/review.csv, as the review page exports it.

Labels are computed evidence and stay as they are; decisions are honoured where copies are counted.
"""

from __future__ import annotations

import csv
import datetime
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

COLUMNS = ["model", "prompt_id", "decision", "note", "reviewer", "date"]
DECISIONS = ("accept", "reject")


class DecisionError(ValueError):
    """The decisions cannot be honoured as written; the message names file, row, value and cure."""


def read_decisions(path: str | Path, models: Collection[str]) -> pd.DataFrame:
    """Decisions as a table of `COLUMNS` and the `line` of the file, prompt_id int64.

    path : empty for none. models : keys of the models sheet. Whether a prompt_id is a candidate is asked by `of_model`, when
    the candidates are known.

    Raises
    ------
    DecisionError : listing every row that is wrong.
    """
    if not path:
        return pd.DataFrame(columns=[*COLUMNS, "line"]).astype(
            {"prompt_id": "int64", "line": "int64"}
        )
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError as err:
        raise DecisionError(
            f"{path}: no such file; correct labels.decisions in the config, or make a file with the one "
            f"line {','.join(COLUMNS)}"
        ) from err
    except (UnicodeDecodeError, csv.Error) as err:
        raise DecisionError(f"{path}: not a CSV file in UTF-8 ({err}); export it again") from err
    if not rows or rows[0] != COLUMNS:
        raise DecisionError(
            f"{path}, row 1: the columns are {rows[0] if rows else []}; they must be {COLUMNS}"
        )
    problems: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    kept: list[list[str]] = []
    for number, row in enumerate(rows[1:], 2):
        if not any(row):
            continue
        where = f"{path}, row {number}"
        if len(row) != len(COLUMNS):
            problems.append(
                f"{where}: {len(row)} cells, {len(COLUMNS)} columns; quote commas in a note"
            )
            continue
        problems += [f"{where}: {problem}" for problem in _problems(row, models)]
        key = (row[0], row[1])
        if key in seen:
            problems.append(
                f"{where}: model {row[0]!r}, prompt_id {row[1]!r} is decided in row {seen[key]} too; "
                "keep one of the two"
            )
        seen[key] = number
        kept.append([*row, str(number)])
    if problems:
        raise DecisionError("\n".join(problems))
    table = pd.DataFrame(kept, columns=[*COLUMNS, "line"], dtype=str)
    return table.astype({"prompt_id": "int64", "line": "int64"})


def _problems(row: list[str], models: Collection[str]) -> list[str]:
    model, prompt_id, decision, _, _, date = row
    found = []
    if model not in models:
        found.append(f"model is {model!r}; rows of the models sheet: {', '.join(sorted(models))}")
    if not (prompt_id.isascii() and prompt_id.isdigit() and int(prompt_id) < 2**63):
        found.append(
            f"prompt_id is {prompt_id!r}, no whole number; spreadsheet programs round long numbers: "
            "export the file again, and open it as text"
        )
    if decision not in DECISIONS:
        found.append(f"decision is {decision!r}; write accept or reject, or delete the row")
    if date:
        try:
            datetime.date.fromisoformat(date)
        except ValueError:
            found.append(f"date is {date!r}; write YYYY-MM-DD, or leave it empty")
    return found


def of_model(
    decisions: pd.DataFrame, model: str, prompt_ids: Collection[int], path: str | Path
) -> Mapping[int, str]:
    """prompt_id -> accept or reject, of one model's candidates.

    Raises
    ------
    DecisionError : a decision's prompt_id is no candidate of the model.
    """
    mine = decisions[decisions["model"] == model]
    unknown = mine[~mine["prompt_id"].isin(list(prompt_ids))].to_dict("records")
    if unknown:
        first = unknown[0]
        raise DecisionError(
            f"{path}, row {first['line']}: prompt_id {first['prompt_id']} ({len(unknown)} such) is no "
            f"candidate of {model}; spreadsheet programs round long numbers, and candidates change with the run: "
            "export the decisions from this run's review page again, or delete the row"
        )
    return dict(zip(mine["prompt_id"].tolist(), mine["decision"], strict=True))
