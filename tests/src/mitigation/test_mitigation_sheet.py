"""The sheet of images before and after."""

import numpy as np
import pandas as pd

from verbatim.io.privacy import Privacy
from verbatim.mitigation.mitigation_sheet import list_lines, plot_lines

OWN = np.stack([np.full((4, 4, 3), 10 * i, np.uint8) for i in range(6)])
PROMPTS = pd.DataFrame(
    {"prompt_id": range(6), "image_id": range(6), "searched": [False, True, False, False, True, False],
     "group": ["memorized", "memorized", "once", "never", "never", "reference"]}
)  # fmt: skip


class Shades(dict):
    def read(self, name):
        return self[name]


def lines(level="full", shown=2):
    made, archives = {}, {}
    for at, name in enumerate(("none", "rt")):
        rows = [(key, seed, "prompt") for key in range(5) for seed in (1, 0)]
        rows += [(key, 0, "embedding") for key in (1, 4)] if name == "none" else []
        table = pd.DataFrame(rows, columns=["prompt_id", "seed", "attack"]).assign(
            generation=range(len(rows))
        )
        made[name] = table
        archives[name] = Shades(
            {f"{i}.png": np.full((4, 4, 3), at + i / 100, np.float32) for i in range(len(rows))}
        )
    return list_lines(PROMPTS, made, archives, OWN, Privacy(level), shown)


def test_each_line_has_the_own_image_and_the_lowest_seed_behind_each_defence():
    found = lines()
    assert [line.title for line in found] == [
        "memorized\nprompt", "memorized\nprompt", "trained once\nprompt", "never trained on\nprompt",
        "never trained on\nprompt", "memorized\nfrom embedding", "never trained on\nfrom embedding",
    ]  # fmt: skip
    first = found[0]  # prompt 1, whose embedding was searched, before prompt 0
    assert first.own[0, 0, 0] == np.float32(10 / 255)
    assert [image[0, 0, 0] for image in first.images] == [np.float32(0.03), np.float32(1.03)]
    assert found[-1].images[1] is None  # no embedding met the other defence


def test_what_privacy_withholds_is_blank_on_every_line():
    assert all(line.own is None and line.images == [None, None] for line in lines("none"))


def test_the_figure_has_a_column_for_each_defence_and_titles():
    figure = plot_lines(lines(shown=1), ["none", "rt"])
    titles = [ax.get_title(loc="center") for ax in figure.axes[:3]]
    assert titles == ["own image", "none", "rt"]
    assert len(figure.axes) == 3 * len(lines(shown=1))
    assert sum(len(ax.images) for ax in figure.axes) == 3 * 3 + 2 * 2
    assert plot_lines([], ["none"]).axes
