"""The study on one page, for a reader who has not read the papers: static HTML that opens from the disk."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from verbatim.claims import comparisons
from verbatim.claims.designs import NONE, Grid
from verbatim.claims.papers import INFERENCE, TRAINING
from verbatim.io.pages import format_interval, format_value, render_template

COLOURS = {
    "held": "#009E73", "yes": "#009E73", "not held": "#D55E00", "no": "#D55E00", "undecided": "#777",
    "failed": "#000", "not run": "#AAA",
}  # fmt: skip
SIGNS = {
    "held": "✓", "yes": "✓", "not held": "✗", "no": "✗", "undecided": "?", "failed": "!", "not run": "–",
}  # fmt: skip
CAPTIONS = {
    "duplication": "Similarity and recall against how often the duplicated images were shown.",
    "conditioning": "What a model is told of each image: its own caption, its class, random words, one caption for all, nothing.",
    "data": "The same model trained on more images, as many steps.",
    "length": "The same model trained longer.",
    "mitigations_training": "Mitigations at training time: similarity, recall, Fréchet distance and CLIP score.",
    "mitigations_inference": "Mitigations of the prompt, with the same models: similarity, recall, Fréchet distance and CLIP score.",
    "complexity": "Images that are simple (low entropy, few bytes as JPEG) against the similarity of what resembles them.",
    "membership": "Membership inference: true against false positive rate, on logarithmic axes.",
    "relative": "Models without captions: distance to the nearest training image over what is usual; below 1 is a copy.",
    "attacks": "Do the attacks still find copied captions behind a mitigation?",
    "clusters": "How near generations come to an image against how often it is drawn, and, of images drawn more than once, against "
    "how alike their captions are. A dot is an image of one training; images with a look-alike in the data are left out.",
    "users": "Prompts of users: share of their images above the threshold of a copy, beside the share of images that nobody trained on.",
}  # fmt: skip
USUAL_TIMES = (1, 10)  # of a duplicated image, in the points that are shown
# in words, and the measures told of it
USUAL_ROWS = {
    "similarity of generations to their match": ("similarity:p50", "similarity:p95"),
    "background: of training images to each other": ("background:p50", "background:p95"),
    "of images that nobody trained on": ("held_out:p50", "held_out:p95"),
    "split product of generation and match": ("split:p50", "split:p95"),
    "the same over all pairs of pieces": ("cross:p50", "cross:p95"),
    "split product with the training image where it is largest": ("split_top:p95",),
    "generations whose caption is of a duplicated image": ("duplicated_source",),
    "generations whose match is a duplicated image": ("duplicated_match",),
    "generations whose match is the image asked for": ("match_is_source",),
}


def usual_table(measures: pd.DataFrame, grid: Grid) -> pd.DataFrame:
    """Rows by the words of USUAL_ROWS and the measure's name, a column a point, mean over seeds; no row without a value.

    Somepalli 2022 and 2023 tell these beside their scores: a similarity that training images have among themselves
    shows no copy.

    The points that are as the base, without duplicates and with such of USUAL_TIMES, as far as they were run.
    """
    base = comparisons.at_base(grid.table, grid.base, ("copies",), {})
    points = base.index[base["ddf"].isin(USUAL_TIMES)]
    some = measures[measures["point"].isin(points) & measures["defence"].eq(NONE)]
    mean = some.groupby(["measure", "point"])["value"].mean().unstack("point")
    keys = [(words, measure) for words, several in USUAL_ROWS.items() for measure in several]
    table = mean.reindex(
        index=[measure for _, measure in keys], columns=[p for p in points if p in mean]
    )
    table.index = pd.MultiIndex.from_tuples(keys, names=["words", "measure"])
    return table.dropna(how="all").dropna(how="all", axis=1)


def _measure_name(measure: str) -> str:
    """similarity:p95@pixels as a reader would say it."""
    if measure == "copies_any":
        return "share of copies"
    kind, _, detector = measure.partition("@")
    percent = kind.rpartition(":p")[2]
    name = "median" if percent == "50" else f"{percent} %"
    return f"{detector}, {name}" if detector else name


def _others(rows: pd.DataFrame) -> list[dict[str, str]]:
    """A claim by the other measures: verdict and text of each."""
    return [
        {
            "verdict": str(line["verdict"]),
            "text": f"{_measure_name(str(line['measure']))} {format_value(line['estimate'])}",
        }
        for line in rows.to_dict("records")
    ]


def _claims(claims: pd.DataFrame, robustness: pd.DataFrame) -> list[dict[str, Any]]:
    """What the page shows of each claim."""
    others = {str(claim): _others(rows) for claim, rows in robustness.groupby("claim")}
    return [
        {
            "verdict": str(line["verdict"]), "words": line["words"],
            "details": [x for x in (f"{line['source']}. Measure: {line['measure']}", line["compared"], line["note"]) if x],
            "measured": format_interval(line["estimate"], line["low"], line["high"]), "expected": line["expected"],
            "levels": " / ".join(filter(None, (format_value(line["more"]), format_value(line["less"])))),
            "seeds": line["seeds"], "others": others.get(str(line["claim"]), []),
        }
        for line in claims.to_dict("records")
    ]  # fmt: skip


def _count(claims: pd.DataFrame) -> str:
    """How many of each verdict, in the order of SIGNS."""
    counts = claims["verdict"].value_counts()
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in SIGNS if verdict in counts.index)


def _mitigations(table: pd.DataFrame) -> list[list[str]]:
    """The cells of each line of mitigations.csv."""
    lines = []
    for line in table.to_dict("records"):
        name = {**TRAINING, **INFERENCE}.get(str(line["mitigation"]), "none")
        name = TRAINING.get(str(line["mitigation"]), name) if line["stage"] == "train" else name
        lines.append(
            [
                str(line["stage"]),
                f"{str(line['mitigation']).upper()}: {name}" if name != "none" else "none",
                str(line["copies"]),
                format_value(line["theirs"]),
                format_interval(line["ours"], line["low"], line["high"]),
                format_value(line["theirs_change"]),
                format_interval(line["change"], line["change_low"], line["change_high"]),
                *(
                    format_interval(line[k], line[f"{k}_low"], line[f"{k}_high"])
                    for k in ("recall", "frechet", "clip_score")
                ),
                str(line["seeds"]),
                str(line["status"]),
            ]
        )
    return lines


def _usual(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Points, and a line for each of the words: its percentiles in one cell a point."""
    lines = []
    for words, of in table.groupby(level="words", sort=False):
        names = of.index.get_level_values("measure")
        cells = [" / ".join(filter(None, map(format_value, of[point]))) for point in table.columns]
        lines.append([words, " / ".join(names), *cells])
    return {"points": list(table.columns), "lines": lines}


def _figures(figures: dict[str, bytes]) -> list[dict[str, str]]:
    return [
        {"caption": CAPTIONS.get(name, name), "data": base64.b64encode(png).decode("ascii")}
        for name, png in figures.items()
    ]


@dataclass(frozen=True)
class PageTables:
    """What the page shows: claims.csv, robustness.csv, mitigations.csv, states.parquet, and `usual_table`."""

    claims: pd.DataFrame
    robustness: pd.DataFrame
    mitigations: pd.DataFrame
    states: pd.DataFrame
    usual: pd.DataFrame


@dataclass(frozen=True)
class Template:
    """Text of the page's jinja2 template, and of the style of all pages of tables."""

    page: str
    style: str


def render_page(
    template: Template, tables: PageTables, figures: dict[str, bytes], seeds: int, confidence: float
) -> str:
    """The page; everything in it, figures too. No text of a table reaches it unescaped.

    figures : name (of CAPTIONS) -> PNG. seeds : trainings a point.
    """
    is_claim = tables.claims["kind"].eq("claim")
    claims, questions = tables.claims[is_claim], tables.claims[~is_claim]
    failed = tables.states[tables.states["status"].eq("failed")]
    return render_template(
        template.page,
        {"colour": lambda name: COLOURS.get(name, "#000"), "sign": lambda name: SIGNS.get(name, "")},
        style=Markup(template.style), seeds=seeds, confidence=confidence,
        counts={"claims": _count(claims), "questions": _count(questions)},
        claims=_claims(claims, tables.robustness), questions=_claims(questions, tables.robustness),
        failed=failed.to_dict("records"), figures=_figures(figures), usual=_usual(tables.usual),
        mitigations=_mitigations(tables.mitigations),
    )  # fmt: skip
