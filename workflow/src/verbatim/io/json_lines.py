"""JSON lines: one object on each line. A line that is no object, or that repeats a key, is refused by its number."""

from __future__ import annotations

import json
import os
from typing import Any

from verbatim.io.parquet_text import UserTableError
from verbatim.io.plain_files import LineSource, Rows


def read_json_lines(path: str | os.PathLike) -> Rows:
    """JSON lines: an object a line, whose keys are the columns; what a line does not have is None.

    Numbers stay as they are written. Raises UserTableError naming the line.
    """
    source = LineSource(path)
    objects: list[dict[str, Any]] = []
    rows = Rows([], what="JSON lines")
    for line in source:
        if not line.strip():
            continue
        objects.append(_json_object(line, source.where()))
        rows.lines.append(source.number)
    rows.names = list(dict.fromkeys(name for one in objects for name in one))
    rows.cells = [[one.get(name) for name in rows.names] for one in objects]
    return rows


def _json_object(line: str, where: str) -> dict[str, Any]:
    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"the key {twice!r} occurs twice in one object")
        return made

    try:
        value = json.loads(
            line,
            object_pairs_hook=no_duplicates,
            parse_int=str,
            parse_float=str,
            parse_constant=_constant,
        )
    except RecursionError as err:
        raise UserTableError(
            f"{where}: nested too deep; a row is an object of texts and numbers"
        ) from err
    except ValueError as err:
        raise UserTableError(f"{where}: no JSON object ({err}); write one object a line") from err
    if not isinstance(value, dict):
        raise UserTableError(
            f"{where}: a JSON {type(value).__name__}, no object; write one object a line "
            "(pandas: to_json(orient='records', lines=True))"
        )
    return value


def _constant(name: str) -> None:
    if name != "NaN":  # how some programs write what is missing
        raise ValueError(f"{name} is no JSON")
