"""What the embedded world plants into its training set, decided by a seed and written down as truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import numpy as np
import pandas as pd

from verbatim.world.captions import draw_captions, draw_family, draw_styles, make_caption
from verbatim.world.scenes import PLATE, Scene, near_variants

PLANTED = ("full", "image_only", "near", "template", "repeated")
DUPLICATED = ("full", "image_only", "near")
COMMON = {"light", "skin", "tone"}  # words of a fifth of all names
LEAST_COVER = 0.36  # ASSUME: of its square that a template family's drawing gives to the fillings
SCENE = ["scene", "drawing", "filling", "distortion"]  # columns that say what an image shows


class WorldError(ValueError):
    """The world that the config asks for cannot be planted; the message names the key."""


def count_rows(planted: dict[str, Any]) -> int:
    """How many training rows a `world.planted` block makes."""
    kinds = (*PLANTED, "placeholder")
    return sum(sum(planted[kind]["times"]) * planted[kind]["each"] for kind in kinds) + int(
        planted["single"]
    )


def count_held_out(planted: dict[str, Any]) -> int:
    """How many held-out prompts a `world.planted` block makes."""
    return sum(planted["held_out"].values())


@dataclass
class _Plan:
    """Rows as they are planted; scenes are numbered in the order in which they are asked for."""

    drawings: pd.DataFrame
    rng: np.random.Generator
    free: list[int]
    cover: np.ndarray
    scenes: int = 0
    images: int = 0

    def __post_init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def take(self, n: int, kind: str, least_cover: float = 0.0) -> list[int]:
        """`n` drawings that nothing else has taken."""
        fits = [i for i in self.free if self.cover[i] >= least_cover]
        if len(fits) < n:
            raise WorldError(
                f"world.planted.{kind}: {n} drawings are asked for, {len(fits)} are left; ask for fewer"
            )
        taken = set(fits[:n])
        self.free = [i for i in self.free if i not in taken]
        return fits[:n]

    def number(self) -> int:
        self.scenes += 1
        return self.scenes

    def add(self, scene: Scene, kind: str, captions: list[str], **more: Any) -> None:
        """One image, met once with each of `captions`."""
        drawing = max(scene.drawing, 0)
        for copy, caption in enumerate(captions):
            self.rows.append(
                {"image_id": self.images, "kind": kind, "count": len(captions), "copy": copy,
                 "caption": caption, "group": self.drawings["group"].iloc[drawing], "family": "",
                 "match": -1, "scene": scene.number, "drawing": scene.drawing,
                 "filling": scene.filling, "distortion": scene.distortion} | more
            )  # fmt: skip
        self.images += 1

    def name(self, drawing: int) -> str:
        return str(self.drawings["caption"].iloc[drawing])

    def caption(self, drawing: int) -> str:
        return make_caption(self.name(drawing), *draw_styles(self.rng))

    def another(self, drawing: int, known: list[str]) -> list[str]:
        """One more caption of a drawing, unlike those that are known."""
        while True:
            caption = self.caption(drawing)
            if caption not in known:
                return [caption]


def plant(
    drawings: pd.DataFrame, cover: np.ndarray, planted: dict[str, Any], seed: int
) -> pd.DataFrame:
    """Decide every training row and every held-out prompt.

    Drawings are assigned to the kinds at random, each to one kind alone, so the words of a caption do not show
    its kind. A held-out prompt names a drawing that no model is trained on. Where that name is a paraphrase of
    a duplicated image's (`is_paraphrase`), the prompt is of kind `paraphrase`: models that give the image back
    for it are right to be called copying, and such prompts are no negatives.

    Parameters
    ----------
    drawings : an `images` table with one drawing a family
    cover : (len(drawings),) from `drawings.template_share`
    planted : kind -> {times: how often an image is met, each: images for each of these}; for `template` times is
        the members of a family, for `repeated` the scenes of a caption; `single` is a number of rows;
        `held_out`: kind -> number of prompts that are the negatives of this kind
    seed : decides everything

    Returns
    -------
    A `truth` table with the columns SCENE beside it: training rows shuffled, then held-out prompts with row -1.
    `image_id` counts unique images from 0; distortions of one image share it.
    """
    rng = np.random.default_rng([seed, 1])
    plan = _Plan(drawings, rng, [int(i) for i in rng.permutation(len(drawings))], cover)
    # families first, as they need drawings of an area; their negatives are drawn from the same ones
    wide = planted["held_out"].get("template", 0)
    for members in _times(planted["template"]):
        (drawing,) = plan.take(1, "template", LEAST_COVER)
        _plant_family(plan, drawing, members)
    held_out = {"template": plan.take(wide, "held_out.template", LEAST_COVER)}
    for kind in ("full", "image_only", "near", "repeated"):
        for count in _times(planted[kind]):
            (drawing,) = plan.take(1, kind)
            _plant_one(plan, drawing, kind, count)
        n = planted["held_out"].get(kind, 0)
        held_out[kind] = plan.take(n, f"held_out.{kind}")
    # singles and placeholders share what is left: each drawing in as many scenes as any other
    rest = list(plan.free)
    if not rest:
        raise WorldError("world.planted.single: no drawings are left; plant or hold out fewer")
    for drawing in islice(cycle(rest), planted["single"]):
        plan.add(Scene(plan.number(), drawing), "single", [plan.caption(drawing)])
    for count in _times(planted["placeholder"]):
        captions = [plan.caption(int(i)) for i in rng.choice(rest, count, replace=False)]
        plan.add(Scene(plan.number(), PLATE), "placeholder", captions)

    order = rng.permutation(len(plan.rows))
    truth = pd.DataFrame([plan.rows[i] for i in order])
    truth["row"] = np.arange(len(truth))
    plan.rows.clear()
    names = truth.loc[truth["kind"].isin(DUPLICATED), "drawing"].unique()
    _hold_out(plan, truth, held_out, [plan.name(int(drawing)) for drawing in names])
    return pd.concat([truth, pd.DataFrame(plan.rows).assign(row=-1)], ignore_index=True)


def is_paraphrase(name: str, others: list[str]) -> bool:
    """Whether half of a name's words, or more, are those of one other name.

    Counted with repetition, of the longer name's words, without COMMON ones: "purple square" and "red square"
    are paraphrases, "pig nose" and "nose" too, "pig" and "pig nose dog" are not.
    """
    words = Counter(word for word in name.split() if word not in COMMON)
    for other in others:
        theirs = Counter(word for word in other.split() if word not in COMMON)
        most = max(words.total(), theirs.total())
        if most and 2 * (words & theirs).total() >= most:
            return True
    return False


def _hold_out(
    plan: _Plan, truth: pd.DataFrame, held_out: dict[str, list[int]], copied: list[str]
) -> None:
    """Add held-out prompts, matched in turn to the images of their kind; `copied`: names of duplicated images."""
    captions = {i: [plan.caption(i)] for held in held_out.values() for i in held}
    near = {i: is_paraphrase(plan.name(i), copied) for i in captions}
    for held in held_out.values():
        # as many held-out prompts as asked for: drawings that are no paraphrases have second captions
        apart = [i for i in held if not near[i]]
        for i in islice(cycle(apart), sum(near[i] for i in held)):
            captions[i] += plan.another(i, captions[i])
    for kind, held in held_out.items():
        planted = truth[truth["kind"].eq(kind)].drop_duplicates("image_id")
        matches = planted.sort_values("image_id")["image_id"].tolist()
        if held and not matches:
            raise WorldError(f"world.planted.held_out.{kind}: no {kind} is planted to match")
        for i, match in zip(held, cycle(matches or [-1]), strict=False):
            scene = Scene(plan.number(), i)
            role = "paraphrase" if near[i] else "held_out"
            plan.add(scene, role, captions[i], match=match, count=0)


def _times(block: dict[str, Any]) -> list[int]:
    """Every planted thing of a kind: how often it is met."""
    return [count for count in block["times"] for _ in range(block["each"])]


def _plant_one(plan: _Plan, drawing: int, kind: str, count: int) -> None:
    scene = Scene(plan.number(), drawing)
    if kind == "full":
        plan.add(scene, kind, [plan.caption(drawing)] * count)
    elif kind == "image_only":
        plan.add(scene, kind, draw_captions(plan.name(drawing), count, plan.rng))
    elif kind == "near":
        caption, start = plan.caption(drawing), len(plan.rows)
        plan.add(scene, kind, [caption] * count)
        for row, variant in zip(plan.rows[start:], near_variants(scene, count), strict=True):
            row["distortion"] = variant.distortion
    else:  # repeated: one caption over many scenes
        caption = plan.caption(drawing)
        for copy in range(count):
            scene = scene if copy == 0 else Scene(plan.number(), drawing)
            plan.add(scene, kind, [caption], count=count, copy=copy)


def _plant_family(plan: _Plan, drawing: int, members: int) -> None:
    """A template family: one scene, each member with a filling and a caption of its own, met once."""
    number, family = plan.number(), f"template {drawing}"
    captions = draw_family(plan.name(drawing), members, plan.rng)
    for filling, caption in enumerate(captions):
        scene = Scene(number, drawing, filling)
        plan.add(scene, "template", [caption], family=family, copy=0, count=1)


def scenes_of(table: pd.DataFrame) -> list[Scene]:
    """The scene of each row of a table with the columns SCENE."""
    columns = (table[name].tolist() for name in SCENE)
    return [Scene(*numbers) for numbers in zip(*columns, strict=True)]


def list_images(truth: pd.DataFrame) -> list[Scene]:
    """The scene of each unique image, in the order of `image_id`; of near-duplicates the undistorted one."""
    first = truth.drop_duplicates("image_id").sort_values("image_id")
    return scenes_of(first.assign(distortion="none"))


def list_captions(truth: pd.DataFrame) -> list[str]:
    """A caption of each unique image, its first, in the order of `image_id`."""
    first = truth.drop_duplicates("image_id").sort_values("image_id")
    return list(first["caption"])


def plan_styles(truth: pd.DataFrame, drawings: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Scenes of two fine-tuning sets: of drawings that singles have, in scenes that nothing else has.

    Returns
    -------
    caption, part (0 or 1) and the columns SCENE, `n` rows a part
    """
    rng = np.random.default_rng([seed, 3])
    singles = truth.loc[truth["kind"].eq("single"), "drawing"].unique()
    chosen = rng.choice(np.sort(singles), 2 * n, replace=len(singles) < 2 * n)
    first = int(truth["scene"].max()) + 1
    names = drawings["caption"]
    captions = [make_caption(str(names.iloc[i]), *draw_styles(rng)) for i in chosen]
    return pd.DataFrame(
        {"caption": captions, "part": np.arange(2 * n) % 2, "scene": first + np.arange(2 * n),
         "drawing": chosen, "filling": -1, "distortion": "none"}
    )  # fmt: skip
