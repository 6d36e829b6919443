"""Labels beside what was planted. Only the evaluation may read this.

Recall is known only if the training set and its copies are known.
"""

from __future__ import annotations

import pandas as pd

from verbatim.io.records import prompt_id
from verbatim.tables.table1 import is_copy

# Kinds of `truth` that a model can have seen more than once, each with something to copy
PLANTED = ("full", "image_only", "near", "template")
KINDS = (*PLANTED, "single", "repeated", "placeholder", "paraphrase", "held_out")


def list_captions(truth: pd.DataFrame) -> pd.DataFrame:
    """Each pair of a caption and an image of `truth`, once.

    Returns
    -------
    prompt_id, caption, image_id, kind, count, match, unit, group. `unit` is what can be found: a
    planted image, or for repeated captions the caption. `group` is what stands or falls
    together: the family of the image, or the caption. Kinds that are none of `KINDS` (images
    kept for fine-tuning) are left out.
    """
    pairs = truth[truth["kind"].isin(KINDS)].drop_duplicates(["caption", "image_id"])
    pairs = pairs[["caption", "image_id", "kind", "count", "match", "family"]].reset_index(
        drop=True
    )
    keys = {caption: prompt_id(caption) for caption in pairs["caption"].unique()}
    pairs.insert(0, "prompt_id", pairs["caption"].map(keys))
    repeated = pairs["kind"].eq("repeated")
    pairs["unit"] = ("p" + pairs["image_id"].astype(str)).where(
        ~repeated, "c" + pairs["prompt_id"].astype(str)
    )
    pairs["group"] = pairs["family"].where(pairs["family"].ne("") & ~repeated, pairs["unit"])
    return pairs.drop(columns="family")


def list_prompts(truth: pd.DataFrame) -> pd.DataFrame:
    """One row for each caption of `truth`: prompt_id, caption, kind, count, match, group.

    A caption of several kinds has the first of them in the order of `KINDS`.
    """
    pairs = list_captions(truth)
    pairs["order"] = pairs["kind"].map({kind: i for i, kind in enumerate(KINDS)})
    pairs = pairs.sort_values("order", kind="stable").drop_duplicates("prompt_id")
    return pairs[["prompt_id", "caption", "kind", "count", "match", "group"]].sort_index()


def judge(labels: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Labels of one model with what the truth says of each source.

    Returns
    -------
    prompt_id, extra, judged (a verdict, not missing), verdict (the label, `review` if set aside),
    copied (counted as MV, RV or TV), source_image (-1: none), source_copies (rows of the full
    training set that hold the source's image; a model trained on deduplicated data saw one of
    them), own (the source is an image of this very caption), own_family (it is of the same
    template family), mv (own and MV).
    """
    trained = truth[truth["row"] >= 0].set_index("row")
    copies = trained.groupby("image_id").size()
    table = labels[["prompt_id", "extra", "label", "review", "source_row"]].copy()
    table["judged"] = table["label"].ne("missing")
    table["verdict"] = table["label"].mask(table["review"] & table["judged"], "review")
    table["copied"] = is_copy(table)
    table["source_image"] = (
        table["source_row"]
        .where(table["copied"], -1)
        .map(trained["image_id"])
        .fillna(-1)
        .astype(int)
    )
    table["source_copies"] = table["source_image"].map(copies).fillna(0).astype(int)
    pairs = list_captions(truth)
    family_of = truth.drop_duplicates("image_id").set_index("image_id")["family"]
    own = pd.MultiIndex.from_frame(pairs[["prompt_id", "image_id"]])
    family = pd.MultiIndex.from_arrays([pairs["prompt_id"], pairs["image_id"].map(family_of)])
    named = family[family.get_level_values(1) != ""]
    sources = table["source_image"]
    source_family = sources.map(family_of).fillna("")
    table["own"] = pd.MultiIndex.from_arrays([table["prompt_id"], sources]).isin(own)
    of_family = pd.MultiIndex.from_arrays([table["prompt_id"], source_family]).isin(named)
    table["own_family"] = table["own"] | of_family
    table["mv"] = table["own"] & table["verdict"].eq("MV")
    return table.drop(columns=["label", "review", "source_row"])
