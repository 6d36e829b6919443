"""Somepalli 2023, Table 1 with Tables 3 and 4: what each mitigation does, theirs beside ours."""

from __future__ import annotations

import pandas as pd

from verbatim.claims import comparisons
from verbatim.claims.claims import FRECHET, find_measure
from verbatim.claims.contrasts import Run, Values, estimate, values_of
from verbatim.claims.designs import NONE, Grid
from verbatim.claims.papers import CLIP_SCORE, INFERENCE, RECALL, SCORE, TRAINING

PAPER = ("stage", "mitigation", "duplication", "similarity")
# of `table_runs`
RUN_COLUMNS = ("stage", "mitigation", "duplication", "copies", "point", "defence")
BESIDE = {"recall": RECALL, "frechet": FRECHET, "clip_score": CLIP_SCORE}


def table_runs(grid: Grid) -> list[dict[str, str]]:
    """The lines of the table in order: stage, mitigation, duplication, copies, point, defence ("" and "": no such point).

    With duplicates `mc` is one model, which stands in the lines of both kinds.
    """
    base = comparisons.at_base(grid.table, grid.base, ("copies", "mitigation"), {})
    mitigated = base[base["mitigation"] != "none"]
    asked = [*mitigated["copies"], *base["copies"][base.index.isin(grid.defended)]]
    lines = []
    for copies in sorted(set(asked), key=lambda c: (c != "none", c.split()[0] == "full", c)):
        some = base[base["copies"] == copies]
        of = {mitigation: point for point, mitigation in some["mitigation"].items()}
        runs = [("none", "none", of.get("none", ""), NONE)]
        runs += [("train", name, of.get(name, ""), NONE) for name in TRAINING]
        bare = of.get("none", "")
        defended = bare if bare in grid.defended else ""
        runs += [("inference", name, defended, name) for name in INFERENCE]
        lines += [
            {"stage": stage, "mitigation": name, "duplication": copies.split()[0], "copies": copies,
             "point": str(point), "defence": defence}
            for stage, name, point, defence in runs
        ]  # fmt: skip
    return lines


def _level(
    values: Values, run: Run, confidence: float, is_share: bool
) -> tuple[float, float, float, int]:
    """Value, low, high and seeds of a run; no interval goes beyond what a share can be."""
    found = estimate(values, {run: 1.0}, confidence)
    if found is None:
        return float("nan"), float("nan"), float("nan"), 0
    if is_share:
        return found.value, max(found.low, 0.0), min(found.high, 1.0), found.n
    return found.value, found.low, found.high, found.n


def _status(run: Run, n: int, states: pd.DataFrame) -> str:
    """What came of a run: of all its seeds, so that a seed that failed is not hidden behind one that did not."""
    failed = states[states["point"].eq(run[0]) & states["status"].eq("failed")]
    if n:
        lost = [f"seed {one.seed} failed: {one.reason}" for one in failed.itertuples()]
        return "; ".join(["ok", *lost])
    return f"failed: {failed['reason'].iloc[0]}" if len(failed) else "not run"


def mitigation_table(
    measures: pd.DataFrame,
    states: pd.DataFrame,
    grid: Grid,
    paper: pd.DataFrame,
    confidence: float,
) -> pd.DataFrame:
    """One line for each mitigation and kind of duplication; nothing is dropped: `status` says what is missing.

    Parameters
    ----------
    measures, states : as for `claims.evaluate`
    paper : columns PAPER, Table 1 as printed; beside ours, never fed into it

    Returns
    -------
    stage (none, train, inference), mitigation, duplication, copies, theirs, ours [low, high]: the dataset
    similarity score; change [low, high] against none of the same duplication, theirs_change; recall, frechet and
    clip_score [low, high] and their changes; seeds, status
    """
    theirs = paper.set_index(["stage", "mitigation", "duplication"])["similarity"].astype(float)
    scores = values_of(measures, SCORE, confidence)
    beside = {
        name: values_of(measures, find_measure(measures, measure), confidence)
        for name, measure in BESIDE.items()
    }
    rows, bare = [], {}
    for line in table_runs(grid):
        run = (line["point"], line["defence"])
        if line["stage"] == "none":
            bare[line["copies"]] = run
        unchanged = bare[line["copies"]]
        key = (line["stage"], line["mitigation"], line["duplication"])
        value, low, high, n = _level(scores, run, confidence, True)
        row: dict[str, object] = {
            **{name: line[name] for name in ("stage", "mitigation", "duplication", "copies")},
            "theirs": theirs.get(key, float("nan")), "ours": value, "low": low, "high": high,
        }  # fmt: skip
        unmitigated = theirs.get(("none", "none", line["duplication"]), float("nan"))
        row["theirs_change"] = theirs.get(key, float("nan")) - unmitigated
        for name, values in {"": scores, **beside}.items():
            prefix = f"{name}_" if name else ""
            if name:
                level = _level(values, run, confidence, name == RECALL)
                row |= dict(zip((name, f"{name}_low", f"{name}_high"), level, strict=False))
            change = (
                None
                if run == unchanged
                else estimate(values, {run: 1.0, unchanged: -1.0}, confidence)
            )
            for end, part in (("change", "value"), ("change_low", "low"), ("change_high", "high")):
                row[prefix + end] = getattr(change, part) if change else float("nan")
        row |= {"seeds": n, "status": _status(run, n, states)}
        rows.append(row)
    return pd.DataFrame(rows)
