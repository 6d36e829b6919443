"""The tables on one page to read: plain HTML that opens from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from verbatim.io.pages import format_interval, format_value, render_template

LONG = 40  # lines from which a table is folded


@dataclass(frozen=True)
class Section:
    """A table of the page. columns: those shown, in order; one with an interval is named
    "auc [low, high]"."""

    title: str
    note: str
    columns: tuple[str, ...] = ()


SECTIONS = {
    "paper": Section(
        "Table 1 beside the paper's",
        "Prompts whose generation is a copy of another training image (Retrieved), of one but for a "
        "region (Template), of their caption's own (Exact), of those judged.",
    ),
    "costs": Section(
        "Cost", "Rows through a network, both guidance halves, and what 500 full generations a prompt "
        "would have cost.",
    ),
    "recall": Section(
        "Recall", "Found of planted, by kind and by how often it was met; Wilson's interval.",
        ("model", "kind", "count", "planted", "judged", "found", "recall [low, high]",
         "found_family", "found_any", "preset"),
    ),
    "confusion": Section(
        "Labels against truth", "Prompts by label and kind; of those with a source, the share whose "
        "image was planted.",
        ("model", "label", "kind", "prompts", "source_own", "source_planted", "sources",
         "share_planted [low, high]", "preset"),
    ),
    "criteria": Section(
        "Labels and a copy descriptor", "Prompts called copied by the labels and by a copy descriptor's similarity, by label and by "
        "kind of prompt; own: copied from an image of the prompt's own caption or template family.",
        ("model", "criterion", "by", "group", "n", "found", "share [low, high]", "own", "own_share [own_low, own_high]", "preset"),
    ),
    "separation": Section(
        "Copy descriptors on unseen pairs", "Pairs above a threshold of similarity, by kind of pair; the area is against unrelated "
        "pairs. No training has seen the scenes or their drawings.",
        ("descriptor", "normalized", "pair", "threshold", "n", "share [low, high]", "median", "auc [auc_low, auc_high]"),
    ),
    "evaluation": Section(
        "Every score as a detector", "Area under the ROC curve with its bootstrap interval over "
        "images and families; true positive rates at the threshold of one half judged on the other, "
        "empty where the negatives are too few (tpr_note). Blind scores call no model.",
        ("model", "detector", "preset", "blind", "positives", "negatives", "auc [low, high]",
         "auc_scored", "tpr [tpr_low, tpr_high]", "fpr",
         "tpr_0.01 [tpr_0.01_low, tpr_0.01_high]", "n_pos", "n_neg", "found", "alarms",
         "label_preset", "tpr_note"),
    ),
    "scores": Section(
        "Every score by its cost", "Full duplicates against matched held-out prompts. unet_rows: network rows a prompt with all "
        "seeds; derivatives: how often one of them is differentiated.",
        ("model", "detector", "blind", "unet_rows", "derivatives", "auc [low, high]", "tpr [tpr_low, tpr_high]",
         "tpr_0.01 [tpr_0.01_low, tpr_0.01_high]", "precision_10", "precision_25", "precision_50", "precision_100"),
    ),
    "kinds": Section(
        "Every score by kind of duplicate and count", "Against held-out prompts. matched: these were matched to "
        "images of the kind; where not, the blind scores show how far style alone tells them apart.",
        ("model", "detector", "preset", "blind", "kind", "count", "auc [low, high]",
         "tpr [tpr_low, tpr_high]", "fpr", "n_pos", "n_neg", "matched", "groups", "note"),
    ),
    "depths": Section(
        "Precision of every score's first k prompts", "precision: labelled a copy (unjudged prompts "
        "count as misses); precision_planted: planted; base_planted: planted among all.",
        ("model", "detector", "preset", "blind", "k", "judged", "copied", "precision [low, high]",
         "planted", "precision_planted [low_planted, high_planted]", "base_planted", "label_preset"),
    ),
}  # fmt: skip


def choose_columns(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """The columns as text, a value and its interval in one; columns that are not there are left out."""
    out: dict[str, list[str]] = {}
    for column in columns or tuple(map(str, table.columns)):
        name, _, interval = column.partition(" [")
        ends = interval.rstrip("]").split(", ") if interval else []
        if not {name, *ends} <= set(table.columns):
            continue
        values = table[name]
        if ends:
            low, high = (table[end] for end in ends)
            out[name] = list(map(format_interval, values, low, high))
        else:
            out[name] = list(map(format_value, values))
    return pd.DataFrame(out)


def render_page(
    template: str,
    style: str,
    tables: Mapping[str, pd.DataFrame],
    sections: Mapping[str, Section] = SECTIONS,
    title: str = "Tables",
    lead: Sequence[str] = (),
) -> str:
    """The page of these tables (names of `sections`), in the order of the sections.

    template : jinja2. style : CSS. lead : sentences below the title, a paragraph each.
    """
    shown_sections = []
    for name, section in sections.items():
        if name in tables:
            shown = choose_columns(tables[name], section.columns)
            shown_sections.append(
                {
                    "name": name, "title": section.title, "note": section.note, "columns": list(shown.columns),
                    "lines": shown.to_numpy().tolist(), "folded": len(shown) > LONG,
                }
            )  # fmt: skip
    return render_template(
        template, style=Markup(style), sections=shown_sections, title=title, lead=list(lead)
    )
