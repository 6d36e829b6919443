"""What the embedded world plants into its training set, decided by a seed and written down as truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from verbatim.images import decode_image, encode_png

# A caption for each copy of a picture that is duplicated without its caption.
PARAPHRASES = (
    "{} icon", "a drawing of {}", "{} sticker", "emoji {}", "{} clip art", "picture of {}", "small {}",
    "{} symbol", "cartoon {}", "{} on white", "the {} sign", "{} illustration", "simple {}", "{} vector",
    "flat {} design", "{} graphic", "cute {}", "{} pictogram", "outline of {}", "{} image", "colour {}",
    "{} artwork", "web {}", "{} button", "my {}", "{} print", "little {}", "{} badge", "bold {}", "{} logo",
)  # fmt: skip
DISTORTIONS = ("none", "jpeg90", "jpeg75", "shift_x", "shift_y", "crop")
# ASSUME: root mean square distance that a planted or held-out picture keeps to every other one, so that
# a copy of it is a copy of nothing else: half as much again as the paper's threshold for a verbatim (0.12)
APART = 0.18
MEMBERS = 6  # of a template family: without and with five skin tones


class WorldError(ValueError):
    """The world that the config asks for cannot be planted; the message names the key."""


def count_rows(planted: dict[str, Any]) -> int:
    """How many training rows a `world.planted` block makes."""
    rows = sum(
        sum(planted[kind]["times"]) * planted[kind]["each"] * (MEMBERS if kind == "template" else 1)
        for kind in ("full", "picture_only", "near", "template", "repeated")
    )
    return rows + planted["single"]


def find_distinct(
    pictures: np.ndarray, families: np.ndarray, apart: float = APART, block: int = 512
) -> np.ndarray:
    """Which pictures (n, h, w, 3) uint8 keep `apart` (RMSE in [0, 1]) from all of other families; bool (n,)."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float32) / 255.0
    norms = (flat**2).sum(1)
    nearest = np.empty(len(flat), np.float32)
    for start in range(0, len(flat), block):
        part = slice(start, start + block)
        squares = norms[part, None] + norms[None] - 2.0 * flat[part] @ flat.T
        squares[families[part, None] == families[None]] = np.inf
        nearest[part] = squares.min(1)
    return np.sqrt(np.maximum(nearest, 0) / flat.shape[1]) >= apart


def plant(
    pictures: pd.DataFrame,
    distinct: np.ndarray,
    planted: dict[str, Any],
    n_finetune: int,
    seed: int,
) -> pd.DataFrame:
    """Decide every training row and every held-out pair.

    Parameters
    ----------
    pictures : a `pictures` table
    distinct : bool (n,), pictures that are far from all others: only these are planted or held out
    planted : kind -> {times: list of how often a picture is met, each: pictures for each of these};
        `single` and `held_out` (negatives of full duplicates) are plain numbers
    n_finetune : pictures that are kept apart for each of two fine-tuned models
    seed : decides everything

    Returns
    -------
    A `truth` table, training rows shuffled, held-out pairs last with row -1. Pictures that are kept
    for fine-tuning are in it as kind `finetune_0` and `finetune_1`, row -1.
    """
    rng = np.random.default_rng([seed, 1])
    sizes = pictures.groupby("family")["picture_id"].transform("size")
    families = pictures[sizes == MEMBERS].groupby("family")["picture_id"].apply(list)
    order = rng.permutation(len(families))
    n_families = len(planted["template"]["times"]) * planted["template"]["each"]
    if n_families > len(families):
        raise WorldError(
            f"world.planted.template: {n_families} are asked for, there are {len(families)}"
        )
    chosen = iter(families.iloc[order[:n_families]])
    # everything else is drawn from the pictures one a family: of a family with skin tones the first, which is the light one
    lone = pictures[
        ~pictures.duplicated("family") & ~pictures.family.isin(families.index[order[:n_families]])
    ]
    free = {
        True: list(rng.permutation(lone.picture_id[distinct[lone.picture_id]])),
        False: list(rng.permutation(lone.picture_id[~distinct[lone.picture_id]])),
    }

    def take(n: int, kind: str, apart: bool) -> list[int]:
        # those that need not be distinct use up the others first
        order = [True] if apart else [False, True]
        got: list[int] = []
        for key in order:
            got += [int(free[key].pop()) for _ in range(min(n - len(got), len(free[key])))]
        if len(got) < n:
            raise WorldError(
                f"world.planted.{kind}: {n} pictures are asked for, {len(got)} are left; ask for fewer"
            )
        return got

    rows: list[dict[str, Any]] = []

    def add(
        picture: int, kind: str, count: int, copy: int = 0, caption: str = "", **more: Any
    ) -> None:
        one = pictures.iloc[picture]
        rows.append(
            {"picture_id": picture, "kind": kind, "count": count, "copy": copy, "match": -1,
             "caption": caption or one.caption, "distortion": "none", "group": one.group,
             "family": one.family} | more
        )  # fmt: skip

    full = [
        (count, take(planted["full"]["each"], "full", True)) for count in planted["full"]["times"]
    ]
    n = planted["held_out"]
    matched = match_pictures(pictures, [p for _, got in full for p in got], free[True], n)
    if len(matched) < n:
        raise WorldError(
            f"world.planted.held_out: {n} are asked for, {len(matched)} are left; ask for fewer"
        )
    for count, got in full:
        for picture in got:
            for copy in range(count):
                add(picture, "full", count, copy)
    for count in planted["picture_only"]["times"]:
        if count > len(PARAPHRASES):
            raise WorldError(
                f"world.planted.picture_only: {count} copies, at most {len(PARAPHRASES)}"
            )
        for picture in take(planted["picture_only"]["each"], "picture_only", True):
            for copy in range(count):
                text = PARAPHRASES[copy].format(pictures.caption[picture])
                add(picture, "picture_only", count, copy, text)
    for count in planted["near"]["times"]:
        for picture in take(planted["near"]["each"], "near", True):
            for copy in range(count):
                add(
                    picture,
                    "near",
                    count,
                    copy,
                    distortion=DISTORTIONS[copy % len(DISTORTIONS)],
                )
    for count in planted["template"]["times"]:
        for _ in range(planted["template"]["each"]):
            for picture in next(chosen):
                for copy in range(count):
                    add(int(picture), "template", count, copy)
    for count in planted["repeated"]["times"]:
        for caption_of in take(planted["repeated"]["each"], "repeated", False):
            caption = pictures.caption[caption_of]
            for copy, picture in enumerate(take(count, "repeated", False)):
                add(picture, "repeated", count, copy, caption)
    for picture in take(planted["single"], "single", False):
        add(picture, "single", 1)

    order = rng.permutation(len(rows))
    truth = pd.DataFrame([rows[i] for i in order])
    truth["row"] = np.arange(len(truth))
    rows.clear()
    for picture, match in matched:
        add(picture, "held_out", 0, match=match)
    for part in range(2):
        for picture in take(n_finetune, "single", False):
            add(picture, f"finetune_{part}", 0)
    apart = pd.DataFrame(rows).assign(row=-1)
    return pd.concat([truth, apart], ignore_index=True)


def find_alike(
    pictures: pd.DataFrame, picture: int, free: list[int], by_words: bool = False
) -> int:
    """Of the `free` pictures, one of `picture`'s group, count of words and length of caption, or the nearest to it.

    by_words : one that shares words with it comes first ("woman"), as a bag of words sees no groups
    """
    one, others = pictures.iloc[picture], pictures.iloc[free]
    words = set(one["caption"].split())
    shared = others["caption"].map(lambda text: len(words & set(text.split())) if by_words else 0)
    order = np.lexsort(
        (
            others["picture_id"],
            (others["caption"].str.len() - len(one["caption"])).abs(),
            (others["n_words"] - one["n_words"]).abs(),
            others["group"].ne(one["group"]),
            -shared,
        )
    )
    return int(free[order[0]])


def match_pictures(
    pictures: pd.DataFrame, planted: list[int], free: list[int], n: int, by_words: bool = False
) -> list[tuple[int, int]]:
    """Give planted pictures, in turn, a free one that is alike, which is taken out of `free`.

    Returns
    -------
    (held out, planted) pairs: n, or fewer if nothing is left.
    """
    matched = []
    for i in range(min(n, len(free)) if planted else 0):
        one = planted[i % len(planted)]
        best = find_alike(pictures, one, free, by_words)
        free.remove(best)
        matched.append((best, int(one)))
    return matched


def distort(picture: np.ndarray, distortion: str) -> np.ndarray:
    """A near-duplicate of a picture (h, w, 3) in [0, 1]: re-encoded, moved or cropped by one pixel."""
    if distortion == "none":
        return picture
    if distortion.startswith("jpeg"):
        import io

        from PIL import Image

        with Image.open(io.BytesIO(encode_png(picture))) as img:
            out = io.BytesIO()
            img.save(out, "JPEG", quality=int(distortion[4:]))
        return decode_image(out.getvalue())
    if distortion in ("shift_x", "shift_y"):
        axis = 1 if distortion == "shift_x" else 0
        moved = np.roll(picture, 1, axis=axis)
        moved[(slice(None), 0) if axis else (0,)] = 1.0
        return moved
    if distortion == "crop":
        from verbatim.images import resize

        return resize(picture[1:-1, 1:-1], *picture.shape[:2])
    raise ValueError(f"distortion {distortion!r}: one of {DISTORTIONS}")
