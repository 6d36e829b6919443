"""The study on one page, for a reader who has not read the papers: static HTML that opens from the disk."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass

import pandas as pd

from verbatim.claims import comparisons
from verbatim.claims.designs import NONE, Grid
from verbatim.claims.papers import INFERENCE, TRAINING
from verbatim.tables.page import STYLE, format_value

COLOURS = {
    "held": "#009E73", "yes": "#009E73", "not held": "#D55E00", "no": "#D55E00", "undecided": "#777",
    "failed": "#000", "not run": "#AAA",
}  # fmt: skip
SIGNS = {
    "held": "✓", "yes": "✓", "not held": "✗", "no": "✗", "undecided": "?", "failed": "!", "not run": "–",
}  # fmt: skip
MORE_STYLE = """
body { max-width: 84rem; } td { vertical-align: top; } td.words { white-space: normal; min-width: 24rem; max-width: 40rem; }
small { display: block; color: #666; white-space: normal; } td.v { font-weight: 600; } figure { margin: 1rem 0; } figure img { max-width: 100%; }
figcaption { color: #444; max-width: 46rem; } dt { font-weight: 600; margin-top: .4rem; } dd { margin: 0 0 0 1rem; }
"""
INTRO = """A diffusion model draws an image from noise, guided by a caption. Sometimes what it draws is an image that it was
trained on. Four papers say when that happens and what stops it. Here their claims are put to the test on small models
that were all trained for this purpose: drawings of emoji, {seeds} a setting, some of the drawings shown to the model more
often than others. As it is known which drawings were trained on and how often, it can be counted what comes out again."""
TERMS = {
    "Similarity": "Each generated image is compared with all training images by a network that describes images by numbers; "
    "the similarity to the nearest one counts. The score of a model is the value that 5 % of its images exceed (Somepalli 2023: "
    "dataset similarity score). Here the network is the small CLIP of this world, in the paper it is SSCD: levels cannot be "
    "compared, differences can.",
    "Recall": "Of the images shown more often, the share that comes out as a copy, pixel by pixel.",
    "Fréchet distance, CLIP score": "How unlike the training images the generated ones are as a whole (lower is better), and how "
    "well an image fits its caption (higher is better). A mitigation that ruins images is no mitigation. The distance is of "
    "this world's own features unless an Inception file was given; then it is FID.",
    "Membership": "Whether a given image was in the training set. Shadow models, trained on random halves, say what loss to expect "
    "of a model that has seen the image and of one that has not (LiRA). True positive rates at low false positive rates are what counts.",
    "DCS, ECS, cliques": "Attacks that find copied captions without looking at the training set (Webster 2023, Carlini 2023). Area "
    "under the curve: 0.5 is guessing, 1 is perfect.",
    "Copies": "“10 times as often” with the caption (image and caption), or the image with another caption each time (image only).",
}  # fmt: skip
RULE = """A claim <b>held</b> if the whole interval ({confidence:.0%}) of the difference that it speaks of is on its side; it did
<b>not hold</b> if the interval is on the other side, or so near to nothing that no difference worth the name is left; else it is
<b>undecided</b>. Intervals are over trainings: how much a training scatters is estimated from all points together, since each
was trained {seeds} only, and never less than the sampling within a run allows. With one training a point nothing is decided. Each interval
is of its own claim: of {n} lines a few may be misjudged by chance. Nothing was tuned to make a claim hold. Claims about similarity are judged by the
score that the papers use, and by other measures beside it, by the same rule: where these disagree, the claim hangs on how
similarity is measured."""
USUAL = "What is usual: background, split products, sources"
USUAL_TEXT = """A score says something only beside what images score that copy nothing: training images among themselves, and images that
nobody trained on. Where these are as high, similarity alone tells no copy. A split product is of pieces of an image's vector, so that a
copied part counts; of c pieces that all agree each gives about 1 / c. Means over trainings, 50th / 95th percentiles; shares of all generations."""
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


def _verdict(verdict: str) -> str:
    colour, sign = COLOURS.get(verdict, "#000"), SIGNS.get(verdict, "")
    return f'<td class="v" style="color:{colour}">{sign} {html.escape(verdict)}</td>'


def _interval(value: float, low: float, high: float) -> str:
    shown = format_value(value)
    ends = f" [{format_value(low)}, {format_value(high)}]" if pd.notna(low) else ""
    return html.escape(shown + ends if shown else "")


def _measure_name(measure: str) -> str:
    """similarity:p95@pixels as a reader would say it."""
    if measure == "copies_any":
        return "share of copies"
    kind, _, detector = measure.partition("@")
    percent = kind.rpartition(":p")[2]
    name = "median" if percent == "50" else f"{percent} %"
    return f"{detector}, {name}" if detector else name


def _others(rows: pd.DataFrame) -> str:
    """A claim by the other measures: a line each, its verdict and estimate."""
    lines = []
    for line in rows.to_dict("records"):
        verdict = str(line["verdict"])
        colour, sign = COLOURS.get(verdict, "#000"), SIGNS.get(verdict, "")
        text = f"{_measure_name(str(line['measure']))} {format_value(line['estimate'])}"
        lines.append(
            f'<div title="{html.escape(verdict)}"><b style="color:{colour}">{sign}</b> {html.escape(text)}</div>'
        )
    return "".join(lines)


def _claims(claims: pd.DataFrame, robustness: pd.DataFrame) -> str:
    """One row for each claim; the column of other measures only where a claim has any."""
    others = {str(claim): _others(rows) for claim, rows in robustness.groupby("claim")}
    several = any(str(name) in others for name in claims["claim"])
    names = ["verdict", "claim", "measured [interval]", "right if", "levels", "trainings a point"]
    names += ["by other measures"] if several else []
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = []
    for line in claims.to_dict("records"):
        levels = " / ".join(filter(None, (format_value(line["more"]), format_value(line["less"]))))
        details = [f"{line['source']}. Measure: {line['measure']}", line["compared"], line["note"]]
        small = "".join(f"<small>{html.escape(str(x))}</small>" for x in details if x)
        rows.append(
            f'<tr>{_verdict(str(line["verdict"]))}<td class="words">{html.escape(str(line["words"]))}{small}</td>'
            f"<td>{_interval(line['estimate'], line['low'], line['high'])}</td>"
            f"<td>{html.escape(str(line['expected']))}</td><td>{html.escape(levels)}</td>"
            f"<td>{line['seeds']}</td>"
            + (f"<td>{others.get(str(line['claim']), '')}</td>" if several else "")
            + "</tr>"
        )
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _count(claims: pd.DataFrame) -> str:
    """How many of each verdict, in the order of SIGNS."""
    counts = claims["verdict"].value_counts()
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in SIGNS if verdict in counts.index)


def _mitigations(table: pd.DataFrame) -> str:
    head = "<tr><th>when</th><th>mitigation</th><th>duplication</th><th>similarity, theirs (SSCD)</th><th>similarity, ours</th><th>change, theirs</th><th>change, ours</th><th>recall</th><th>Fréchet distance</th><th>CLIP score</th><th>seeds</th><th>status</th></tr>"
    rows = []
    for line in table.to_dict("records"):
        name = {**TRAINING, **INFERENCE}.get(str(line["mitigation"]), "none")
        name = TRAINING.get(str(line["mitigation"]), name) if line["stage"] == "train" else name
        cells = [
            str(line["stage"]), f"{str(line['mitigation']).upper()}: {name}" if name != "none" else "none",
            str(line["copies"]), format_value(line["theirs"]),
        ]  # fmt: skip
        rows.append(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
            + f"<td>{_interval(line['ours'], line['low'], line['high'])}</td>"
            + f"<td>{html.escape(format_value(line['theirs_change']))}</td>"
            + f"<td>{_interval(line['change'], line['change_low'], line['change_high'])}</td>"
            + "".join(
                f"<td>{_interval(line[k], line[f'{k}_low'], line[f'{k}_high'])}</td>"
                for k in ("recall", "frechet", "clip_score")
            )
            + f"<td>{line['seeds']}</td><td>{html.escape(str(line['status']))}</td></tr>"
        )  # fmt: skip
    return f'<div class="wide"><table>{head}{"".join(rows)}</table></div>'


def _usual(table: pd.DataFrame) -> str:
    """A row for each line of words, its percentiles in one cell; one column for each point."""
    if table.empty:
        return ""
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in ("", "measure", *table.columns))
    rows = []
    for words, of in table.groupby(level="words", sort=False):
        names = of.index.get_level_values("measure")
        cells = [" / ".join(filter(None, map(format_value, of[point]))) for point in table.columns]
        rows.append(
            "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in (words, " / ".join(names), *cells))
            + "</tr>"
        )  # fmt: skip
    return f'<h2>{USUAL}</h2><p>{USUAL_TEXT}</p><div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _figures(figures: dict[str, bytes]) -> str:
    shown = []
    for name, png in figures.items():
        data = base64.b64encode(png).decode("ascii")
        text = html.escape(CAPTIONS.get(name, name))
        shown.append(
            f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'
        )
    return "\n".join(shown)


@dataclass(frozen=True)
class PageTables:
    """What the page shows: claims.csv, robustness.csv, mitigations.csv, states.parquet, and `usual_table`."""

    claims: pd.DataFrame
    robustness: pd.DataFrame
    mitigations: pd.DataFrame
    states: pd.DataFrame
    usual: pd.DataFrame


def render_page(
    tables: PageTables, figures: dict[str, bytes], seeds: int, confidence: float
) -> str:
    """The page; everything in it, figures too. No text of a table reaches it unescaped.

    figures : name (of CAPTIONS) -> PNG. seeds : trainings a point.
    """
    times = {1: "once", 2: "twice"}.get(seeds, f"{seeds} times")
    trained = f"{seeds} training{'s' if seeds != 1 else ''}"
    claims, robustness, states = tables.claims, tables.robustness, tables.states
    is_claim = claims["kind"].eq("claim")
    summary = f"claims: {_count(claims[is_claim])}; questions: {_count(claims[~is_claim])}"
    failed = states[states["status"].eq("failed")]
    broken = "".join(
        f"<li>{html.escape(f'{s.point}, seed {s.seed}: {s.reason}')}</li>"
        for s in failed.itertuples()
    )
    terms = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in TERMS.items()
    )
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Why models copy, and what stops it</title>"
        f"<style>{STYLE}{MORE_STYLE}</style><h1>Why models copy, and what stops it</h1>",
        f"<p>{html.escape(INTRO.format(seeds=trained))}</p><p><b>In short:</b> {html.escape(summary)}.</p>",
        f"<h2>How it is judged</h2><p>{RULE.format(confidence=confidence, seeds=times, n=len(claims))}</p>",
        f"<details open><summary>What the words mean</summary><dl>{terms}</dl></details>",
        f"<h2>Trainings that failed</h2><ul>{broken}</ul>" if broken else "",
        f"<h2>The papers' claims</h2>{_claims(claims[is_claim], robustness)}",
        f"<h2>Figures</h2>{_figures(figures)}",
        _usual(tables.usual),
        "<h2>Mitigations: theirs beside ours</h2><p>Somepalli 2023, Table 1, and what its Tables 3 and 4 ask. Levels are of another "
        "detector and other data; compare the changes.</p>" + _mitigations(tables.mitigations),
        "<h2>Questions: what a mitigation costs, and what attacks still find behind it</h2>"
        + _claims(claims[~is_claim], robustness),
    ]  # fmt: skip
    return "\n".join(part for part in parts if part) + "\n</html>\n"
