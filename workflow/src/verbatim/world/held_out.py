"""Captions and pictures that no model is trained on, matched to what is planted: the evaluation's negatives.

Negatives of another style would let a detector win on style alone, so each kind of duplicate has its own: of
the same group and length, worded alike, and for templates with the same words for skin tones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from verbatim.world.planting import PARAPHRASES, match_pictures

ROUNDS = ("template", "near", "picture_only")  # whole families first: they are the fewest


class HeldOut(NamedTuple):
    """A picture that is never trained on, its caption, and the planted picture that it is matched to."""

    picture_id: int
    match: int
    caption: str


def hold_out(
    pictures: pd.DataFrame,
    distinct: np.ndarray,
    truth: pd.DataFrame,
    wanted: dict[str, int],
    seed: int,
) -> pd.DataFrame:
    """Add the negatives of the kinds that are not full duplicates, from the pictures that nothing else has taken.

    Comes after everything else is planted and draws from a generator of its own, so that how many are
    wanted changes nothing else of a world.

    Parameters
    ----------
    pictures : a `pictures` table, picture_id counts its rows
    distinct : bool (n,), pictures that are far from all others; only these are held out
    truth : from `plant`
    wanted : kind (near, picture_only, template) -> how many pairs; fewer are given if pictures run out,
        and for templates whole families only
    seed : decides which planted pictures have one more negative than others, and which of the wordings of a
        picture_only duplicate's copies a held-out name has. Drawn, not in turn: were each wording met equally
        often, those that a fold of the bag of words is fitted on would tell which are left for the others,
        and a blind score would fall below chance

    Returns
    -------
    `truth` with these pairs last: kind held_out, row -1; the kind of a pair's `match` is whose negative it is
    """
    rows = truth[truth["row"] >= 0]
    lone = pictures[~pictures.duplicated("family")]
    taken = lone["family"].isin(truth["family"]) | lone["caption"].isin(truth["caption"])
    free = [int(p) for p in lone["picture_id"][~taken] if distinct[p]]
    rng = np.random.default_rng([seed, 2])
    found: list[HeldOut] = []
    for kind in ROUNDS:
        planted = rows[rows["kind"].eq(kind)].drop_duplicates("picture_id")
        planted = planted.sort_values("picture_id").reset_index(drop=True)
        n = wanted.get(kind, 0)
        if kind == "template":
            names = list(planted["family"].unique())
            families = [names[i] for i in rng.permutation(len(names))]
            got = _match_families(pictures, distinct, families, free, n)
        else:
            order = [int(p) for p in rng.permutation(planted["picture_id"].to_numpy())]
            got = [
                HeldOut(picture, match, str(pictures["caption"].iloc[picture]))
                for picture, match in match_pictures(pictures, order, list(free), n)
            ]
        if kind == "picture_only":
            times = planted.set_index("picture_id")["count"]
            got = [
                one._replace(
                    caption=PARAPHRASES[rng.integers(times[one.match])].format(one.caption)
                )
                for one in got
            ]
        used = {one.picture_id for one in got}
        free = [p for p in free if p not in used]
        found += got
    if not found:
        return truth
    more = pd.DataFrame(found).assign(kind="held_out", count=0, copy=0, distortion="none", row=-1)
    of = pictures.set_index("picture_id").loc[more["picture_id"], ["group", "family"]]
    more = more.assign(group=of["group"].to_numpy(), family=of["family"].to_numpy())
    return pd.concat([truth, more[truth.columns]], ignore_index=True)


def _match_families(
    pictures: pd.DataFrame, distinct: np.ndarray, planted: list[str], free: list[int], n: int
) -> list[HeldOut]:
    """Whole families for planted ones in turn, member for member: the code points sort them by skin tone, none last."""
    members = pictures.groupby("family")["picture_id"].apply(list)
    of_planted = [members[family] for family in planted]
    size = len(of_planted[0]) if of_planted else 0
    of_plain = {}  # a family is found by its member without a skin tone
    for picture in free:
        family = members[pictures["family"].iloc[picture]]
        if len(family) == size and distinct[family].all():
            of_plain[family[-1]] = family
    plain = [family[-1] for family in of_planted]
    planted_of = dict(zip(plain, of_planted, strict=True))
    pairs = match_pictures(pictures, plain, list(of_plain), n // size if size else 0, True)
    return [
        HeldOut(int(own), int(match), str(pictures["caption"].iloc[own]))
        for held, of in pairs
        for own, match in zip(of_plain[held], planted_of[of], strict=True)
    ]


def describe_shortage(truth: pd.DataFrame, planted: dict[str, Any]) -> list[str]:
    """What `world.planted.held_out_of` asks for and the pictures do not give, a sentence a kind."""
    held = truth[truth["kind"].eq("held_out")]
    kind_of = truth[truth["row"] >= 0].drop_duplicates("picture_id").set_index("picture_id")["kind"]
    got = held["match"].map(kind_of).value_counts()
    return [
        f"world.planted.held_out_of.{kind}: {got.get(kind, 0)} of {n} held-out pairs; no more pictures are left "
        "that match (of templates, whole families)"
        for kind, n in planted.get("held_out_of", {}).items()
        if got.get(kind, 0) < n
    ]
