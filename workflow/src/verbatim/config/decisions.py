"""People's decisions on candidates: config/review.csv, as the review page exports it.

Labels are computed evidence and stay as they are; decisions apply where copies are counted.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from verbatim.io.spreadsheets import plain_cell
from verbatim.io.user_tables import UserTableError, read_user_table

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
        read = read_user_table(path).without_empty_rows()
    except UserTableError as err:
        raise DecisionError(
            f"{err}. It is labels.decisions in the config: correct that, export the file again from the review page, or "
            f"make one with the one line {','.join(COLUMNS)}"
        ) from err
    if list(read.names) != COLUMNS:
        raise DecisionError(
            f"{path}, line 1: read as {read.what}, the columns are {list(read.names)}; they must be {COLUMNS}"
        )
    problems: list[str] = []
    seen: dict[tuple[str, int | None], str] = {}
    kept: list[dict[str, object]] = []
    for i, cells in enumerate(read.frame.fillna("").to_dict("records")):
        row = {str(name): plain_cell(str(cell)) for name, cell in cells.items()}
        where = read.where(i)
        problems += [f"{where}: {problem}" for problem in _problems(row, models)]
        number = _prompt_id(row["prompt_id"])
        key = (row["model"], number)
        if number is not None and key in seen:
            problems.append(
                f"{where}: model {row['model']!r}, prompt_id {number} is decided in {seen[key]} too; "
                "keep one of the two"
            )
        seen[key] = where.removeprefix(f"{path}, ")
        kept.append({**row, "prompt_id": number, "line": int(read.places[i])})
    if problems:
        raise DecisionError("\n".join(problems))
    table = pd.DataFrame(kept, columns=[*COLUMNS, "line"], dtype=object)
    return table.astype({"prompt_id": "int64", "line": "int64"})


def _prompt_id(text: str) -> int | None:
    """A prompt_id as the review page writes it; leading zeros say nothing. None for any other text."""
    plain = text.isascii() and text.isdigit() and len(text) <= 100
    return int(text) if plain and int(text) < 2**63 else None


def _problems(row: Mapping[str, str], models: Collection[str]) -> list[str]:
    model, prompt_id, decision, date = (
        row[name] for name in ("model", "prompt_id", "decision", "date")
    )
    found = []
    if model not in models:
        found.append(f"model is {model!r}; rows of the models sheet: {', '.join(sorted(models))}")
    if _prompt_id(prompt_id) is None:
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
            f"{path}, line {first['line']}: prompt_id {first['prompt_id']} ({len(unknown)} such) is no "
            f"candidate of {model}; spreadsheet programs round long numbers, and candidates change with the run: "
            "export the decisions from this run's review page again, or delete the row"
        )
    return dict(zip(mine["prompt_id"].tolist(), mine["decision"], strict=True))
