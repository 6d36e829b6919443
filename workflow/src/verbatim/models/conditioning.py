"""Captions of the study: other words for an image, and what the mitigations do to a caption.

Somepalli 2023 lets a captioner (BLIP) write twenty captions an image for MC. Here there is no captioner:
an image's captions are the English CLDR short name of its emoji and the aliases that the package `emoji`
has for it, in thirty wordings ("a drawing of ...", "... icon"). That package has no keywords. So these captions
differ less than a captioner's: they share the name, and none says what else is to be seen.

A mitigation edits the words of a caption, as the public code of Somepalli 2023 does (somepago/DCR, datasets.py and
sd_mitigation.py; its paper, section 5, reads otherwise in places, see workflow/docs/deviations.md). RC replaces the
whole caption by random words. RT inserts random words, CWR inserts words of the caption again, RNA inserts random
numbers, each at random places. At training one draw with chance p decides whether a caption is edited at all; at
inference every prompt gets all its edits.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

FIXED = "an image"
# of a random caption; Somepalli 2023, section 4.2. ASSUME: words of the world's vocabulary where the paper draws tokens
RANDOM_WORDS = 6
REPLACING_WORDS = (
    4  # of RC; somepago/DCR, datasets.py draws four tokens. ASSUME: words for tokens, as above
)
WORDINGS = (
    "{}", "{} icon", "a drawing of {}", "{} sticker", "emoji {}", "{} clip art", "picture of {}", "small {}",
    "{} symbol", "cartoon {}", "{} on white", "the {} sign", "{} illustration", "simple {}", "{} vector",
    "flat {} design", "{} graphic", "cute {}", "{} pictogram", "outline of {}", "{} image", "colour {}",
    "{} artwork", "web {}", "{} button", "my {}", "{} print", "little {}", "{} badge", "bold {}", "{} logo",
)  # fmt: skip
# what most emoji of a page of 256 code points are; Unicode keeps related images together
CLASSES = {
    "1F1": "flag", "1F3": "plant, food or sport", "1F4": "animal, body or thing", "1F5": "clock, map or sign",
    "1F6": "face or vehicle", "1F9": "person, animal or food", "1FA": "clothes, tool or thing",
    "26": "weather, game or symbol", "27": "dingbat or arrow", "23": "clock or button", "1F2": "square button",
    "1F7": "coloured circle or square", "0": "keycap or mark", "21": "arrow or letter", "25": "square or triangle",
}  # fmt: skip


def class_caption(group: str) -> str:
    """The caption of a class: images of one Unicode page share it."""
    return f"an image of {CLASSES.get(group, 'symbol')}"


@cache
def common_words() -> tuple[str, ...]:
    """The words that random captions are drawn from: those of all emoji names, sorted."""
    import emoji

    names = (entry["en"] for entry in emoji.EMOJI_DATA.values())
    return tuple(
        sorted({word for name in names for word in _plain(name).split() if word.isalpha()})
    )


def random_caption(image_id: int, seed: int = 0) -> str:
    """Six random words that stand for an image, always the same ones."""
    # text as the seed: whole numbers next to each other start like ones in some generators
    return random_words(random.Random(f"{seed}/{image_id}"), RANDOM_WORDS)


def random_words(rng: random.Random, n: int) -> str:
    """`n` words, each drawn from all."""
    return " ".join(rng.choices(common_words(), k=n))


def caption_of(one: dict[Any, Any], conditioning: str) -> str:
    """The caption by which a point asks for an image, a line of the pool."""
    if conditioning == "none":
        return ""
    if conditioning == "fixed":
        return FIXED
    if conditioning == "class":
        return class_caption(one["group"])
    if conditioning == "random":
        return random_caption(one["image_id"])
    return str(one["caption"])


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", " ", name.strip(":")).strip().lower()


def names_of(caption: str, code: str) -> list[str]:
    """An image's caption, and its other names in the package `emoji`.

    Parameters
    ----------
    caption : the CLDR short name, which is the caption of the embedded world.
    code : hexadecimal code points, joined by "-".
    """
    import emoji

    points = [chr(int(part, 16)) for part in code.split("-")]
    names = [caption]
    for char in ("".join(points), "".join(p for p in points if p != "\ufe0f")):
        for alias in emoji.EMOJI_DATA.get(char, {}).get("alias", []):
            if (name := _plain(alias)) not in names:
                names.append(name)
    return names


def variations(names: Sequence[str], n: int, start: int = 0) -> list[str]:
    """`n` different captions of one image: its first name as it is, then wordings of all its names in turn.

    start : which wording comes first, so that images do not all have the same ones.
    """
    found = [names[0]]
    wordings = [*WORDINGS[1:]]
    wordings = wordings[start % len(wordings) :] + wordings[: start % len(wordings)]
    every = [*names[1:]] + [
        wording.format(names[(place + i) % len(names)])
        for i in range(len(names))
        for place, wording in enumerate(wordings)
    ]
    found += [one for one in dict.fromkeys(every) if one != names[0]][: n - 1]
    return found


def edit_caption(
    caption: str, mitigation: str, constants: Mapping[str, Any], rng: random.Random
) -> str:
    """A caption as a training step reads it under RC, RT or CWR: edited with one chance, else as it is.

    Parameters
    ----------
    mitigation : rc, rt or cwr.
    constants : `sweep.mitigations` of the config; the mitigation's own entry is the chance, in [0, 1].
    """
    if rng.random() >= constants[mitigation]:
        return caption
    if mitigation == "rc":
        return random_words(rng, REPLACING_WORDS)
    if mitigation == "rt":
        return insert_words(caption, constants["passes"], rng)
    return repeat_words(caption, constants["passes"], rng)


def insert_words(caption: str, n: int, rng: random.Random) -> str:
    """RT: the caption with `n` random words inserted at random places; no word is taken out."""
    words = caption.split()
    for _ in range(n):
        words.insert(rng.randint(0, len(words)), rng.choice(common_words()))
    return " ".join(words)


def repeat_words(caption: str, n: int, rng: random.Random) -> str:
    """CWR: the caption with `n` of its own words, drawn with replacement, inserted at random places.

    A caption without words stays as it is.
    """
    own = caption.split()
    words = list(own)
    for _ in range(n if own else 0):
        words.insert(rng.randint(0, len(words)), rng.choice(own))
    return " ".join(words)


def insert_numbers(caption: str, n: int, high: int, rng: random.Random) -> str:
    """RNA: the caption with `n` whole numbers of [0, high) inserted at random places."""
    words = caption.split()
    for _ in range(n):
        words.insert(rng.randint(0, len(words)), str(rng.randrange(high)))
    return " ".join(words)
