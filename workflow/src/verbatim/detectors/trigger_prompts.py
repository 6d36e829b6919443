"""Which prompts of a search are generated, and which of the known captions beside them: `trigger_prompts` tables."""

from __future__ import annotations

import pandas as pd

from verbatim.io.keys import prompt_id

COLUMNS = ["prompt_id", "prompt", "energy", "place"]


def choose_prompts(tried: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most `count` prompts of the highest energy, no word in two of them: chains that meet at one trigger count once.

    tried : a `trigger_chains` table.
    """
    chosen: list[tuple[str, float]] = []
    used: set[str] = set()
    ranked = tried.sort_values(["energy", "prompt"], ascending=[False, True])
    for prompt, energy in zip(ranked["prompt"], ranked["energy"], strict=True):
        words = set(prompt.split())
        if len(chosen) < count and not words & used:
            used |= words
            chosen.append((prompt, energy))
    return _table(pd.DataFrame(chosen, columns=["prompt", "energy"]))


def choose_captions(captions: pd.DataFrame, scores: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most `count` captions, the highest DCS first, one of each cluster of near-duplicates: what is known of a data set.

    Parameters
    ----------
    captions : a `prompts` table; one without a cluster (-1) is a cluster of its own. scores : a `whitebox` table.
    """
    known = captions[["prompt_id", "caption", "cluster"]]
    ranked = known.merge(scores[["prompt_id", "dcs", "rank"]], on="prompt_id").sort_values("rank")
    again = ranked["cluster"].ge(0) & ranked.duplicated("cluster")
    chosen = ranked[~again].head(count)
    return _table(
        chosen.rename(columns={"caption": "prompt", "dcs": "energy"}).reset_index(drop=True)
    )


def _table(chosen: pd.DataFrame) -> pd.DataFrame:
    ids = [prompt_id(prompt) for prompt in chosen["prompt"]]
    table = chosen.assign(prompt_id=pd.Series(ids, dtype="int64"), place=range(len(chosen)))
    return table[COLUMNS].astype({"energy": "float64"})
