"""Template verbatims: generation, retrieved image, mask, and the difference under the mask.

Webster 2023, Fig. 2: a training image but for a region that varies.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from verbatim.figures.image_grid import Example, plot_grid
from verbatim.figures.triples import Triple
from verbatim.io.images import resize

GAIN = 4  # of the difference, so that what is below a threshold of 0.12 can be seen
BLOCKS = ("Closest", "Median", "Furthest")
COLUMNS = ("generated", "retrieved", "mask", f"diff. ×{GAIN}")


def masked_difference(triple: Triple) -> np.ndarray | None:
    """|generated - training| where the mask compares them, grey elsewhere; at the mask's size.

    None where the mask is of a crop of the training image, which is not at hand, or where they may not be shown.
    """
    if triple.mask is None or triple.crop not in ("whole", "squash"):
        return None
    if triple.generated is None or triple.training is None:
        return None
    height, width = triple.mask.shape
    one, two = (resize(p, height, width) for p in (triple.generated, triple.training))
    return np.where(triple.mask[:, :, None], np.clip(GAIN * np.abs(one - two), 0, 1), 0.75)


def plot_templates(models: dict[str, list[Triple]]) -> Figure:
    """The closest, the median and the furthest template of every model.

    Parameters
    ----------
    models : name in Table 1 -> up to three templates, from the closest to the furthest
    """
    groups: dict[str, dict[str, list[Example]]] = {}
    for name, found in models.items():
        groups[name] = {
            title: [
                Example(
                    [one.generated, one.training, one.mask, masked_difference(one)],
                    one.caption,
                    f"distance {one.distance:.3f}",
                )
            ]
            for title, one in zip(BLOCKS[:1] + BLOCKS[-len(found) + 1 :], found, strict=False)
        }
    return plot_grid(dict.fromkeys(BLOCKS, COLUMNS), groups)
