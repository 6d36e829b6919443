"""Check whether a run on the embedded world shows what the paper shows: one line for each finding, with its goal.

In a world whose copies are known three questions have an answer: whether prompts that no model was trained on are
labelled copies, whether planted duplicates are found, and whether scores beat caption-only baselines. Webster 2023,
sections 4 to 6. Goals are constants of this module and no settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from verbatim.metrics.intervals import wilson
from verbatim.tables.table1 import is_copy
from verbatim.tables.truth import judge, list_prompts

CONFIDENCE = 0.95
MOST_FALSE = 0.01  # of held-out prompts, labelled a copy
LEAST_HELD_OUT = 300
LEAST_RECALL = 0.85
MOST_DISTANCE = 0.06  # median RMSE of full duplicates that are copied
LEAST_AUC = {"dcs_reference": 0.97, "ecs_world": 0.93}
LEAST_PRECISION = 0.99  # of what ECS ranks and the post-filter keeps
MOST_EXACT, MOST_RETRIEVED, LEAST_TEMPLATE = 0.05, 2, 0.5  # of SD V2, beside SD V1
LEAST_EXACT = 0.5  # of a fine-tuned model, of SD V1's


@dataclass(frozen=True)
class Run:
    """Tables of one run.

    labels : model -> `labels` table. truth, prompts, clusters : tables of these names. evaluation, kinds, precision,
    recall : the CSV tables. duplicated : model trained on everything. deduplicated : on what the deduplication
    left. attacked : models with scores. tuned : models fine-tuned from `duplicated`. others : the rest.
    """

    labels: Mapping[str, pd.DataFrame]
    truth: pd.DataFrame
    prompts: pd.DataFrame
    evaluation: pd.DataFrame
    kinds: pd.DataFrame
    precision: pd.DataFrame
    recall: pd.DataFrame
    duplicated: str
    deduplicated: str
    tuned: tuple[str, ...]
    others: tuple[str, ...]


def list_findings(run: Run) -> pd.DataFrame:
    """Every finding of a run.

    Returns
    -------
    finding, model, value, low, high (of a share or an area; empty where there is none), n, goal, holds
    (yes, no, or `not measured` where n is 0)
    """
    lines: list[dict[str, Any]] = []
    for part in (find_false_copies, find_recall, find_areas, find_blind, find_precision,
                 find_labels, find_duplication):  # fmt: skip
        lines += part(run)
    columns = ["finding", "model", "value", "low", "high", "n", "goal", "holds"]
    return pd.DataFrame(lines, columns=columns)


def _line(
    finding: str, model: str, value: float, n: int, goal: str, holds: bool, **more: float
) -> dict[str, Any]:
    said = "not measured" if not n else ("yes" if holds else "no")
    return {
        "finding": finding,
        "model": model,
        "value": value,
        "n": n,
        "goal": goal,
        "holds": said,
    } | more


def _kinds_of(run: Run) -> pd.Series:
    return list_prompts(run.truth).set_index("prompt_id")["kind"]


def find_false_copies(run: Run) -> Iterator[dict[str, Any]]:
    """Of the prompts that no model was trained on, how many are labelled a copy; paraphrases apart, without a goal."""
    kind = _kinds_of(run)
    for model, labels in run.labels.items():
        kinds = labels["prompt_id"].map(kind).where(labels["label"].ne("missing"))
        held, near = labels[kinds.eq("held_out")], labels[kinds.eq("paraphrase")]
        if len(near):
            yield _line("paraphrases of a duplicate's caption labelled a copy", model, float(is_copy(near).mean()),
                        len(near), "none: the model may know them", True)  # fmt: skip
        n, found = len(held), int(is_copy(held).sum())
        low, high = (float(x[0]) for x in wilson([found], [max(n, 1)], CONFIDENCE))
        # a model that was asked few prompts cannot be held to one in a hundred: its interval must reach below
        holds = found <= MOST_FALSE * n if n >= LEAST_HELD_OUT else low <= MOST_FALSE
        yield _line("held-out prompts labelled a copy", model, found / n if n else float("nan"), n,
                    f"at most {MOST_FALSE:.0%}", holds, low=low, high=high)  # fmt: skip


def find_recall(run: Run) -> Iterator[dict[str, Any]]:
    """Of full duplicates of the model trained on everything: recall, how it grows, and how near they are."""
    model = run.duplicated
    full = run.recall[run.recall["model"].eq(model) & run.recall["kind"].eq("full")]
    every = full[full["count"].astype(str).eq("all")]
    each = full[~full["count"].astype(str).eq("all")].assign(count=lambda t: t["count"].astype(int))
    recall = each.sort_values("count")["recall"]
    one = (
        every.iloc[0]
        if len(every)
        else {"recall": float("nan"), "planted": 0, "low": float("nan"), "high": float("nan")}
    )
    yield _line("recall of full duplicates", model, float(one["recall"]), int(one["planted"]),
                f"at least {LEAST_RECALL}", float(one["recall"]) >= LEAST_RECALL,
                low=float(one["low"]), high=float(one["high"]))  # fmt: skip
    grows = float(recall.iloc[-1] - recall.iloc[0]) if len(recall) else float("nan")
    yield _line("recall of the most met less that of the least met", model, grows, len(recall),
                "above 0, or both 1", grows > 0 or (grows == 0 and recall.iloc[0] == 1))  # fmt: skip
    judged = judge(run.labels[model], run.truth)
    own = judged[judged["prompt_id"].map(_kinds_of(run)).eq("full") & judged["mv"]]
    distance = run.labels[model].set_index("prompt_id")["distance_mv"].reindex(own["prompt_id"])
    median = float(distance.median()) if len(distance) else float("nan")
    yield _line("median distance of full duplicates given back", model, median, len(distance),
                f"below {MOST_DISTANCE}", median < MOST_DISTANCE)  # fmt: skip


def find_areas(run: Run) -> Iterator[dict[str, Any]]:
    """DCS and ECS against held-out and repeated prompts.

    After deduplication full duplicates are met once, so their scores are those of held-out prompts. Repeated
    captions are met as often as before, which is no comparison for that model.
    """
    table = run.evaluation[run.evaluation["positives"].eq("full")]
    for model in run.evaluation["model"].unique():
        for negatives in ("held_out", "repeated"):
            for detector, least in LEAST_AUC.items():
                some = table[
                    table["model"].eq(model)
                    & table["negatives"].eq(negatives)
                    & table["detector"].eq(detector)
                ]
                if some.empty:
                    continue
                one = some.iloc[0]
                auc, low, high = (float(one[name]) for name in ("auc", "low", "high"))
                name = f"{detector} AUC, full against {negatives}"
                n = int(min(one["n_pos"], one["n_neg"]))
                if model == run.duplicated:
                    yield _line(
                        name, model, auc, n, f"at least {least}", auc >= least, low=low, high=high
                    )
                elif model == run.deduplicated and negatives == "held_out":
                    yield _line(name, model, auc, n, "about 0.5: the interval holds it",
                                low <= 0.5 <= high, low=low, high=high)  # fmt: skip


def find_blind(run: Run) -> Iterator[dict[str, Any]]:
    """Caption-only baselines are near chance: by kind, and in the pool of the attack."""
    model = run.duplicated
    pool = run.evaluation[
        run.evaluation["model"].eq(model) & run.evaluation["positives"].eq("full")
    ]
    kinds = run.kinds[run.kinds["model"].eq(model) & run.kinds["count"].astype(str).eq("all")]
    for title, table, by in (("kind", kinds, "kind"), ("negatives", pool, "negatives")):
        blind = table[table["blind"].astype(bool) & table["auc"].notna()]
        for name, some in blind.groupby(by):
            away = some[(some["low"] > 0.5) | (some["high"] < 0.5)]
            names = ", ".join(away["detector"])
            n = int(min(some["n_pos"].min(), some["n_neg"].min()))
            worst = some.iloc[int((some["auc"] - 0.5).abs().argmax())]
            yield _line(f"blind baselines, {title} {name}" + (f": {names}" if names else ""), model,
                        float(worst["auc"]), n, "every interval holds 0.5", away.empty,
                        low=float(worst["low"]), high=float(worst["high"]))  # fmt: skip


def find_precision(run: Run) -> Iterator[dict[str, Any]]:
    """Fig. 3: precision to the last prompt that ECS ranks and the post-filter keeps."""
    some = run.precision[
        run.precision["model"].eq(run.duplicated) & run.precision["detector"].eq("ECS+Carlini")
    ]
    last = some.sort_values("k").tail(1)
    value = float(last["precision"].iloc[0]) if len(last) else float("nan")
    yield _line("precision of ECS and post-filter, to the last", run.duplicated, value,
                int(last["k"].iloc[0]) if len(last) else 0, f"at least {LEAST_PRECISION}",
                value >= LEAST_PRECISION)  # fmt: skip


def count_copies(labels: pd.DataFrame) -> dict[str, int]:
    """Prompts of each label that counts as a copy, extra prompts left out, as in Table 1."""
    copies = labels[is_copy(labels) & ~labels["extra"]]["label"].value_counts()
    return {label: int(copies.get(label, 0)) for label in ("MV", "RV", "TV")}


def find_labels(run: Run) -> Iterator[dict[str, Any]]:
    """Table 1: what each model shows beside the one that was trained on everything."""
    counts = {model: count_copies(labels) for model, labels in run.labels.items()}
    base = counts[run.duplicated]
    asked = {model: int((~labels["extra"]).sum()) for model, labels in run.labels.items()}
    if run.deduplicated in counts:
        model, own = run.deduplicated, counts[run.deduplicated]
        n = asked[model]
        yield _line("exact copies", model, own["MV"], n, f"at most {MOST_EXACT:.0%} of {base['MV']}",
                    own["MV"] <= MOST_EXACT * base["MV"])  # fmt: skip
        yield _line(
            "retrieved copies",
            model,
            own["RV"],
            n,
            f"at most {MOST_RETRIEVED}",
            own["RV"] <= MOST_RETRIEVED,
        )
        yield _line("templates", model, own["TV"], n, f"at least {LEAST_TEMPLATE:.0%} of {base['TV']}",
                    base["TV"] > 0 and own["TV"] >= LEAST_TEMPLATE * base["TV"])  # fmt: skip
    for model in run.tuned:
        exact = counts[model]["MV"]
        yield _line("exact copies", model, exact, asked[model], f"at least {LEAST_EXACT:.0%} of {base['MV']}",
                    exact >= LEAST_EXACT * base["MV"])  # fmt: skip
    for model in run.others:
        for label, title in (("MV", "exact copies"), ("TV", "templates")):
            value = counts[model][label]
            yield _line(
                title,
                model,
                value,
                asked[model],
                f"some, fewer than {base[label]}",
                0 < value < base[label],
            )


def find_duplication(run: Run) -> Iterator[dict[str, Any]]:
    """Fig. 4: what is copied was met often, what is a template was hardly met twice."""
    labels = run.labels[run.duplicated]
    labels = labels[~labels["extra"]]
    met = labels["prompt_id"].map(run.prompts.set_index("prompt_id")["cluster_size"]).fillna(1) > 1
    copied = is_copy(labels)
    exact, template = copied & labels["label"].isin(["MV", "RV"]), copied & labels["label"].eq("TV")
    shares = {name: float(met[rows].mean()) if rows.any() else float("nan")
              for name, rows in (("exact", exact), ("template", template), ("rest", ~copied))}  # fmt: skip
    yield _line("share of copies whose image is a duplicate", run.duplicated, shares["exact"], int(exact.sum()),
                f"above the rest's {shares['rest']:.2f}", shares["exact"] > shares["rest"])  # fmt: skip
    yield _line("share of templates whose image is a duplicate", run.duplicated, shares["template"],
                int(template.sum()), "below that of copies", shares["template"] < shares["exact"])  # fmt: skip
