"""The study's grid: which models are trained, each a line of a sheet, and which runs are made of them.

A cell that is left empty takes its value from `sweep.base` of the config, so that a line says only in what
its point differs. Whatever is wrong is refused before any work, by file, row, column, value and cure.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

COLUMNS = (
    "point", "images", "ddf", "duplication", "conditioning", "text_encoder", "steps", "mitigation",
    "subset", "description",
)  # fmt: skip
WORDS = {
    "duplication": ("full", "image_only"),
    "conditioning": ("own", "fixed", "class", "random", "none"),
    "text_encoder": ("trained", "frozen"),
    "mitigation": ("none", "mc", "gn", "rc", "rt", "cwr"),
}
# captions that only a point conditioned on its own captions has
OF_CAPTIONS = ("mc", "rc", "rt", "cwr")
NO_DEFENCE = "none"
# block of the config -> mitigation or defence -> the entries that it reads
MITIGATION_CONSTANTS = {
    "mitigations": {"gn": ("gn",), "rc": ("rc",), "rt": ("rt", "passes"), "cwr": ("cwr", "passes")},
    "inference": {
        "gni": ("gni",), "rt": ("passes",), "cwr": ("passes",),
        "rna": ("rna_high", "passes"), "wen": ("wen_steps", "wen_rate", "wen_target"),
    },
}  # fmt: skip


class GridError(ValueError):
    """The grid cannot be run as written; the message names file, row, column, value and cure."""


@dataclass(frozen=True)
class Point:
    """One model to train: a line of the sheet, its empty cells filled in.

    images : training images, -1 for all that are not held out.
    duplicated : of them, how many are drawn `ddf` times as often as the rest.
    half : number of a shadow model, which is trained on a random half of the first 2 * images; -1: none.
    """

    point: str
    images: int
    duplicated: int
    ddf: float
    duplication: str
    conditioning: str
    text_encoder: str
    steps: int
    mitigation: str
    half: int
    description: str

    @property
    def has_prompts(self) -> bool:
        """Whether a defence of the prompt can change anything: there must be a prompt."""
        return self.conditioning != "none"

    def settings(self) -> dict[str, Any]:
        """What decides the numbers of the point's training: all but its name and description."""
        return {k: v for k, v in asdict(self).items() if k not in ("point", "description")}


def read_grid(path: str | Path, base: dict[str, Any]) -> dict[str, Point]:
    """The points of a sheet by name, in its order.

    Parameters
    ----------
    path : a table with the columns of `COLUMNS`; lines that begin with # are left out.
    base : `sweep.base` of the config.

    Raises
    ------
    GridError : listing everything that is wrong.
    """
    # here and not above: a change of the reader must not train the points anew
    from verbatim.io.user_tables import UserTableError, read_user_table

    try:
        table = read_user_table(path, comments=True).without_empty_rows()
    except UserTableError as err:
        raise GridError(f"{err}. It is the sweep's sheet (sweep.points in the config)") from err
    sheet = table.frame.fillna("")
    missing = [name for name in COLUMNS if name not in sheet.columns]
    surplus = [name for name in sheet.columns if name not in COLUMNS]
    if missing or surplus:
        raise GridError(
            f"{path} ({table.what}): the columns {missing} are missing and {surplus} are unknown; it must have the "
            f"columns {', '.join(COLUMNS)}"
        )
    points: dict[str, Point] = {}
    problems: list[str] = []
    for place, cells in enumerate(sheet.to_dict("records")):
        row = {str(name): str(cell).strip() for name, cell in cells.items()}
        where = f"{table.where(place)} ({row['point']})"
        wrong = _cell_problems(row)
        if row["point"] in points:
            wrong.append(f"point: {row['point']!r} occurs twice; a point's name is used once")
        if not wrong:
            point = _make_point(row, base)
            wrong = _point_problems(point, row)
            points[row["point"]] = point
        problems += [f"{where}: column {problem}" for problem in wrong]
    if problems:
        raise GridError("\n".join(problems))
    return points


def _cell_problems(row: dict[str, str]) -> list[str]:
    """What no cell of its column may say: `column: 'value': cure`."""
    problems = []
    if not re.fullmatch(r"[a-z0-9_]+", row["point"]):
        problems.append(f"point: {row['point']!r}: small letters, digits and _ only")
    for column, known in WORDS.items():
        cell = row[column]
        if cell and cell not in known:
            near = difflib.get_close_matches(cell, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            problems.append(f"{column}: {cell!r} is unknown; {hint}")
    for column, least in (("images", 2), ("steps", 1)):
        cell = row[column]
        if cell and not (column == "images" and cell == "all"):
            good = cell.isdecimal() and int(cell) >= least
            also = " or all" if column == "images" else ""
            if not good:
                problems.append(f"{column}: {cell!r}: give a whole number from {least}{also}")
    if row["ddf"]:
        try:
            good = 1 <= float(row["ddf"]) < float("inf")
        except ValueError:
            good = False
        if not good:
            problems.append(
                f"ddf: {row['ddf']!r}: give a number from 1; 1 means that nothing is duplicated"
            )
    if row["subset"] and not re.fullmatch(r"half:\d+", row["subset"]):
        problems.append(f"subset: {row['subset']!r}: leave it empty, or give half:0, half:1, ...")
    return problems


def _make_point(row: dict[str, str], base: dict[str, Any]) -> Point:
    cells = {name: row[name] or base[name] for name in base if name != "duplicated"}
    return Point(
        point=row["point"],
        images=-1 if cells["images"] == "all" else int(cells["images"]),
        duplicated=int(base["duplicated"]),
        ddf=float(cells["ddf"]),
        duplication=str(cells["duplication"]),
        conditioning=str(cells["conditioning"]),
        text_encoder=str(cells["text_encoder"]),
        steps=int(cells["steps"]),
        mitigation=str(cells["mitigation"]),
        half=int(row["subset"].removeprefix("half:")) if row["subset"] else -1,
        description=row["description"],
    )


def _point_problems(point: Point, row: dict[str, str]) -> list[str]:
    """What the cells of a line cannot say together."""
    problems = []
    if 0 <= point.images < point.duplicated:
        problems.append(
            f"images: {point.images} is fewer than sweep.base.duplicated ({point.duplicated}); "
            "give more, or lower that"
        )
    if point.half >= 0 and point.images < 0:
        problems.append(
            "images: 'all' leaves no other half to a shadow model; give a number of images"
        )
    if point.mitigation in OF_CAPTIONS and point.conditioning != "own":
        problems.append(
            f"mitigation: {point.mitigation!r} changes an image's own caption, but the conditioning is "
            f"{point.conditioning!r}; set it to own, or the mitigation to none or gn"
        )
    if point.conditioning == "none" and point.mitigation == "gn":
        problems.append(
            "mitigation: 'gn' is noise on captions, and the conditioning is 'none'; leave it empty"
        )
    if point.conditioning != "own" and point.ddf > 1 and point.duplication == "image_only":
        problems.append(
            "duplication: 'image_only' gives other captions of an image, so the conditioning must be "
            f"own, not {point.conditioning!r}; set the duplication to full"
        )
    return problems


def select_points(grid: dict[str, Point], wanted: list[str], path: str | Path) -> dict[str, Point]:
    """The points of `wanted`, in the sheet's order; all for an empty list."""
    _refuse_unknown(grid, wanted, "sweep.select_points", path)
    return {name: point for name, point in grid.items() if not wanted or name in wanted}


def check_defended(grid: dict[str, Point], defended: list[str], path: str | Path) -> None:
    """Refuse defended points that the sheet does not have, or that have no prompt to defend."""
    _refuse_unknown(grid, defended, "mitigation.defended", path)
    bare = [name for name in defended if not grid[name].has_prompts]
    if bare:
        raise GridError(
            f"config: mitigation.defended has {bare[0]!r}, which {path} conditions on nothing; "
            "a defence changes the prompt: leave it out"
        )


def _refuse_unknown(grid: dict[str, Point], names: list[str], key: str, path: str | Path) -> None:
    for name in names:
        if name not in grid:
            near = difflib.get_close_matches(name, grid, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"points: {', '.join(grid)}"
            raise GridError(f"config: {key} has {name!r}, which is no point of {path}; {hint}")


def seeds_of(point: Point, seeds: list[int]) -> list[int]:
    """Study seeds that a point is trained for: a shadow model for the first only."""
    return list(seeds) if point.half < 0 else list(seeds[:1])


def list_trainings(grid: dict[str, Point], seeds: list[int]) -> list[tuple[str, int]]:
    """Every training (point, seed) of the points of `grid`."""
    return [(name, seed) for name, point in grid.items() for seed in seeds_of(point, seeds)]


def list_runs(
    grid: dict[str, Point], seeds: list[int], defended: list[str], defences: list[str]
) -> list[tuple[str, int, str]]:
    """Every run (point, seed, defence): one without defence for each training but those of shadow models, whose
    images nobody asks for, and the others for the points that are `defended`."""
    return [
        (name, seed, defence)
        for name, seed in list_trainings(grid, seeds)
        if grid[name].half < 0
        for defence in (NO_DEFENCE, *(defences if name in defended else ()))
    ]
