"""Choose the prompts of a model that get full generations and labels.

Webster 2023, section 4: an attacked model has its own candidates. IF and Midjourney take the top prompts of SD 1's
ECS, and the fine-tuned models take the prompts that were found on SD 1 and SD 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

COPIES = ("MV", "RV", "TV")


class CandidateError(ValueError):
    """No candidates can be selected; the message names the sheet's value and the cure."""


def top_ranked(ranks: pd.DataFrame, extra: Iterable[int], n_prompts: int) -> list[int]:
    """The `n_prompts` prompts of lowest rank, without extra prompts, which do not use up places.

    ranks : prompt_id, rank.
    """
    attacked = ranks[~ranks["prompt_id"].isin(list(extra))]
    return attacked.sort_values(["rank", "prompt_id"])["prompt_id"].head(n_prompts).tolist()


def found_copies(labels: pd.DataFrame) -> list[int]:
    """Prompts that a `labels` table calls a copy, those set aside for review too."""
    return labels.loc[labels["label"].isin(COPIES), "prompt_id"].tolist()


def add_listed(prompts: pd.DataFrame, listed: pd.DataFrame) -> pd.DataFrame:
    """A `prompts` table and, behind it, the prompts of a list that it does not have.

    listed : prompt_id, caption, row (-1: not in the data). Columns as a `selection` table, but `why`.
    """
    columns = ["prompt_id", "caption", "row", "extra"]
    new = listed[~listed["prompt_id"].isin(prompts["prompt_id"])].assign(extra=False)
    return pd.concat([prompts[columns], new[columns]], ignore_index=True)


def select_candidates(prompts: pd.DataFrame, reasons: Mapping[str, Iterable[int]]) -> pd.DataFrame:
    """Union of the prompts that each reason asks for, and all extra prompts.

    Parameters
    ----------
    prompts : a `prompts` table; the answer keeps its order.
    reasons : word for `why` -> prompt_ids.

    Returns
    -------
    A `selection` table; `why` is every reason that holds, joined by commas.

    Raises
    ------
    CandidateError : a reason names a prompt that the table doesn't have.
    """
    why: dict[int, list[str]] = {}
    for word, ids in reasons.items():
        for prompt_id in ids:
            why.setdefault(int(prompt_id), []).append(word)
    for prompt_id in prompts.loc[prompts["extra"], "prompt_id"]:
        why.setdefault(int(prompt_id), []).append("extra")
    unknown = sorted(set(why) - set(prompts["prompt_id"].tolist()))
    if unknown:
        raise CandidateError(
            f"prompt_id {unknown[0]} ({len(unknown)} in all, by {', '.join(why[unknown[0]])}) is not "
            "in dedup/prompts.parquet; scores and prompts come from different runs: make both again"
        )
    table = prompts[prompts["prompt_id"].isin(list(why))].reset_index(drop=True)
    table["why"] = [",".join(why[int(prompt_id)]) for prompt_id in table["prompt_id"]]
    return table[["prompt_id", "caption", "row", "extra", "why"]]
