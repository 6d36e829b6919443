"""The papers' claims, each a comparison of runs, and whether it held here.

The rule. A claim names a measure and a comparison whose estimate is positive if the claim is right (a mean
difference of pairs, the change along a series, a measure minus a reference); `contrasts` gives the estimate
over the study seeds and its interval. Then it

- **held** if the whole interval is above 0;
- did **not hold** if the whole interval is below 0, or below the smallest effect that would be worth the name
  (`find_margin`): then there is no such effect, or the opposite;
- is **undecided** otherwise, and always where there is one seed: one training does not show the scatter of trainings. The
  exception are numbers of all shadow models together (their interval is a bootstrap over images) and of users'
  prompts (over prompts, of one model);
- **failed** if none of its comparisons is left and a training diverged, **not run** if its points were not asked for;
  where they were and the measure has no value (no copy to find, say) it is undecided, and the note says so.

A claim of a best one is several comparisons, with each of the others: it held if all did, and did not if any did
not; if one of the others is missing it may be the best, so that the claim is undecided at most. Questions are things that the papers ask or leave open; they are answered yes, no or undecided by the same rule.
Every interval is of its claim alone (95 %, say, each): of forty claims one or two may be misjudged by chance.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from verbatim.claims.comparisons import at_base
from verbatim.claims.contrasts import Estimate, Run, Values, estimate, values_of
from verbatim.claims.designs import NONE, TOGETHER, Built, Design, Grid

COLUMNS = (
    "claim", "kind", "words", "source", "measure", "expected", "compared", "more", "less", "estimate",
    "low", "high", "seeds", "df", "direction", "verdict", "note",
)  # fmt: skip
# of robustness.csv
ROBUSTNESS = ("claim", "measure", "estimate", "low", "high", "seeds", "verdict")
# ASSUME: effects below these are called none, fixed before any run was looked at: two images of a hundred for copies
MARGINS = {
    "recall": 0.05, "copies_any": 0.02, "auc": 0.05, "auc_copied": 0.05, "tpr": 0.02, "relative": 0.02,
    "share_above": 0.02, "users_above": 0.02, "pearson": 0.1, "spearman": 0.1,
}  # fmt: skip
# ASSUME: of a similarity this share of what is left between training images among themselves and equal ones, fixed before
# the grid's results were looked at. Half of the smallest difference that Somepalli 2023 calls one in its Table 1 (0.04) is 0.02 of
# SSCD, in which unrelated images are near 0.2: 0.025 of 0.8. Other detectors have less room
RANGE_SHARE = 0.025
SIMILARITY = re.compile(r"similarity:p\d+(@.+)?|similarity_mean:.+")
SCORE = "similarity:p95"  # Somepalli 2023: dataset similarity score
FRECHET = "frechet"  # stands for the Fréchet distance of whatever features the run has
SHOWN = 3  # missing runs that are named one by one
ANSWERS = {"held": "yes", "not held": "no"}
# columns of counts.csv, each with the verdicts that it counts
COUNTED = {
    "held": ("held", "yes"), "not_held": ("not held", "no"), "undecided": ("undecided",), "failed": ("failed",),
    "not_run": ("not run",),
}  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """A claim or question.

    words : as a reader who does not know the paper would say it. source : paper and section.
    design : what is compared; the claim is right if sign * (its estimate - reference) is above 0.
    """

    name: str
    words: str
    source: str
    measure: str
    design: Design
    sign: int = 1
    reference: float = 0.0
    question: bool = False


def find_measure(measures: pd.DataFrame, measure: str) -> str:
    """The measure by its name; `frechet` is `fid` where there is one, else the first of its kind."""
    if measure != FRECHET:
        return measure
    found = sorted(set(measures["measure"]))
    kin = [name for name in found if name == "fid" or name.startswith(("fid:", FRECHET))]
    return kin[0] if kin else FRECHET


def find_margin(measure: str, measures: pd.DataFrame, grid: Grid) -> float:
    """The smallest effect on a measure that is worth the name; 0 where none was fixed.

    A similarity's is a share of its detector's own range, from the median similarity of training images among
    themselves (of the point that is as the base in everything, else of all) to 1; 0 if that was not measured.
    """
    if not SIMILARITY.fullmatch(measure):
        return MARGINS.get(measure.partition(":")[0], 0.0)
    _, at, detector = measure.partition("@")
    among = measures[measures["measure"].eq(f"background:p50{at}{detector}")].dropna(subset="value")
    plain = at_base(grid.table, grid.base, (), {}).index
    of_plain = among[among["point"].isin(plain) & among["defence"].eq(NONE)]
    some = of_plain if len(of_plain) else among
    return RANGE_SHARE * (1 - float(some["value"].mean())) if len(some) else 0.0


def judge(found: Estimate, claim: Claim, margin: float) -> tuple[float, float, float, str]:
    """The signed estimate with its interval, and the verdict on one comparison; margin: see `find_margin`."""
    ends = [claim.sign * (x - claim.reference) for x in (found.value, found.low, found.high)]
    value, low, high = ends[0], min(ends[1:]), max(ends[1:])
    alone = found.n < 2 and getattr(claim.design, "points", "") not in TOGETHER
    if alone or not np.isfinite(low):
        return value, low, high, "undecided"
    if low > 0:
        return value, low, high, "held"
    return value, low, high, "not held" if high < max(margin, 0.0) else "undecided"


def _side(values: Values, weights: dict[Run, float], sign: int) -> float:
    """Weighted mean of the runs on one side of a contrast, over their seeds."""
    side = {run: abs(w) for run, w in weights.items() if w * sign > 0}
    if not side:
        return float("nan")
    means = values.table.loc[list(side)].mean(axis=1).to_numpy()
    return float(np.average(means, weights=list(side.values())))


def _name(run: Run) -> str:
    return run[0] if run[1] == "none" else f"{run[0]}+{run[1]}"


def _compared(weights: dict[Run, float]) -> str:
    ups, downs = (
        ", ".join(_name(run) for run, w in weights.items() if w * sign > 0) for sign in (1, -1)
    )
    return f"{ups} against {downs}" if downs else ups


def _tell_missing(
    missing: list[Run], states: pd.DataFrame, ran: set[Run], why: list[str]
) -> tuple[str, bool]:
    """Which runs are missing and why, and whether any of them failed.

    ran : runs with any number at all. why : what is noted where the measure has no value.
    """
    failed = states[states["status"].eq("failed")].drop_duplicates("point").set_index("point")
    told = [
        f"{_name(run)} failed ({failed['reason'][run[0]]})"
        for run in missing
        if run[0] in failed.index
    ]
    diverged = bool(told)
    rest = [run for run in missing if run[0] not in failed.index]
    absent = [_name(run) for run in rest if run not in ran]
    if absent:
        more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
        told.append(f"not run: {', '.join(absent[:SHOWN])}{more}")
    if empty := len([run for run in rest if run in ran]):
        reasons = f" ({', '.join(why)})" if why else ""
        told.append(f"{empty} run{'s' if empty > 1 else ''} without a value of it{reasons}")
    return "; ".join(told), diverged


def evaluate(
    claim: Claim, measures: pd.DataFrame, states: pd.DataFrame, grid: Grid, confidence: float
) -> dict[str, object]:
    """One line of claims.csv. Never raises for what is missing: the line says what is.

    Parameters
    ----------
    measures : `run_measures` of all runs
    states : point, seed, status, reason of every training
    """
    measure = find_measure(measures, claim.measure)
    values = values_of(measures, measure, confidence)
    have = {(str(point), str(defence)) for point, defence in values.table.index}
    built: Built = claim.design.build(grid, have)
    ran = set(zip(measures["point"], measures["defence"], strict=True))
    some = measures[measures["measure"].eq(measure) & measures["value"].isna()]
    tried = bool(set(built.missing) & ran) and measures["measure"].eq(measure).any()
    why = sorted(set(some["note"]) - {""})[:SHOWN]
    note, diverged = _tell_missing(built.missing, states, ran, why)
    if built.uncompared:
        note = "; ".join(filter(None, [f"not compared with {', '.join(built.uncompared)}", note]))
    row: dict[str, object] = dict.fromkeys(COLUMNS, "")
    row |= {
        "claim": claim.name, "kind": "question" if claim.question else "claim", "words": claim.words,
        "source": claim.source, "measure": measure, "note": note, "seeds": 0, "df": 0,
        "expected": f"{'above' if claim.sign > 0 else 'below'} {claim.reference:g}",
        "verdict": "failed" if diverged else "undecided" if tried else "not run",
    }  # fmt: skip
    row |= dict.fromkeys(("more", "less", "estimate", "low", "high"), float("nan"))
    estimates = [(w, estimate(values, w, confidence)) for w in built.contrasts]
    margin = find_margin(measure, measures, grid)
    judged = [(w, e, judge(e, claim, margin)) for w, e in estimates if e is not None]
    if not judged:
        return row
    # of several comparisons the one with the least lead is shown: it decides
    weights, found, (value, low, high, _) = min(judged, key=lambda one: one[2][0])
    verdicts = {verdict for _, _, (_, _, _, verdict) in judged}
    unsure = "undecided" in verdicts or bool(built.uncompared)
    verdict = "not held" if "not held" in verdicts else "undecided" if unsure else "held"
    if len(judged) > 1:
        row["note"] = "; ".join(
            filter(None, [f"least of {len(judged)} comparisons", str(row["note"])])
        )
    used = {point for point, _ in weights}
    broken = states[states["status"].eq("failed") & states["point"].isin(used)]
    lost = [
        f"{state.point}, seed {state.seed} failed ({state.reason})" for state in broken.itertuples()
    ]
    row["note"] = "; ".join(filter(None, [str(row["note"]), *lost]))
    back = claim.sign * value + claim.reference
    ends = sorted(claim.sign * x + claim.reference for x in (low, high))
    plain = all(w > 0 for w in weights.values())
    row |= {
        "compared": _compared(weights),
        "more": _side(values, weights, 1), "less": float("nan") if plain else _side(values, weights, -1),
        "estimate": back, "low": ends[0], "high": ends[1], "seeds": found.n, "df": round(found.df, 1),
        "direction": "as claimed" if value > 0 else "reversed" if value < 0 else "none",
        "verdict": ANSWERS.get(verdict, verdict) if claim.question else verdict,
    }  # fmt: skip
    return row


def compare_claims(
    claims: list[Claim],
    measures: pd.DataFrame,
    states: pd.DataFrame,
    grid: Grid,
    confidence: float,
) -> pd.DataFrame:
    """claims.csv: one line for each claim, in the order of the list, with the columns of COLUMNS."""
    rows = [evaluate(claim, measures, states, grid, confidence) for claim in claims]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def count_verdicts(claims: pd.DataFrame) -> pd.DataFrame:
    """counts.csv: how many claims, and how many questions, have each verdict; of claims.csv."""
    rows = []
    for kind in ("claim", "question"):
        verdicts = claims.loc[claims["kind"].eq(kind), "verdict"]
        counts = {name: int(verdicts.isin(words).sum()) for name, words in COUNTED.items()}
        rows.append({"kind": kind, **counts, "total": len(verdicts)})
    return pd.DataFrame(rows)


def other_measures(measures: pd.DataFrame) -> list[str]:
    """The measures that stand in for the score, of those in a `run_measures` table, in a fixed order."""
    there = set(measures["measure"])
    detectors = sorted(name.partition("@")[2] for name in there if name.startswith(f"{SCORE}@"))
    wanted = [
        "similarity:p50",
        *(f"similarity:p{percent}@{name}" for name in detectors for percent in (95, 50)),
        "copies_any",
    ]
    return [name for name in wanted if name in there]


def compare_measures(
    claims: list[Claim],
    measures: pd.DataFrame,
    states: pd.DataFrame,
    grid: Grid,
    confidence: float,
) -> pd.DataFrame:
    """robustness.csv: a line a claim about the score and another measure, with the columns of ROBUSTNESS.

    The papers' score is one number: the 95th percentile of the similarity to the nearest training image, by one
    network. A small data set holds few images above its 95th percentile, and a network may see no difference
    between a copy and an image of the same kind. So each claim about that score is judged by the same rule on the
    median, on every other copy detector, and on the share of images that are a copy pixel by pixel.
    """
    rows = [
        evaluate(replace(claim, measure=measure), measures, states, grid, confidence)
        for claim in claims
        if claim.measure == SCORE
        for measure in other_measures(measures)
    ]
    return pd.DataFrame(rows, columns=list(ROBUSTNESS))
