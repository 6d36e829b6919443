"""What ECS sees: the edges on which the seeds of a prompt agree, under each preset.

Webster 2023, eq. 3. The same one-step generations, judged at two sizes, show why a threshold belongs to a size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from verbatim.figures.style import WIDTH, use_style
from verbatim.metrics.edges import EdgePreset, agreed_edges, edge_maps, resize_images


@dataclass
class Judged:
    """A prompt: its title, and preset -> its one-step generations (h, w, 3) in [0, 1], one for each seed.

    The images of a preset are those of its guidance scale; a preset whose images may not be shown has none.
    """

    title: str
    images: Mapping[str, Sequence[np.ndarray]]


def preset_title(name: str, preset: EdgePreset) -> str:
    """What a preset does, in two lines."""
    return (
        f"{name}: guidance {preset.guidance:g},\n{preset.size} px, threshold {preset.threshold:g}"
    )


def plot_edge_agreement(prompts: Sequence[Judged], presets: Mapping[str, EdgePreset]) -> Figure:
    """Two rows a preset: the first seed's one-step generation, and in black the pixels that count.

    Parameters
    ----------
    prompts : a column each. presets : name -> preset, a pair of rows each.

    Returns
    -------
    A figure; the number below a map is ECS, its black share.
    """
    use_style()
    n_rows, left = 2 * len(presets), 1.6
    side = (WIDTH - left) / max(1, len(prompts))
    high = side * n_rows + 0.3 + 0.16 * len(presets)
    figure, axes = plt.subplots(
        n_rows, max(1, len(prompts)), figsize=(WIDTH, high), squeeze=False,
        gridspec_kw={"hspace": 0.12, "wspace": 0.05},
    )  # fmt: skip
    figure.subplots_adjust(left=left / WIDTH, right=1, bottom=0.2 / high, top=1 - 0.3 / high)
    for ax in axes.ravel():
        ax.axis("off")
    for j, prompt in enumerate(prompts):
        axes[0, j].set_title(prompt.title, loc="center", fontsize=7)
        for i, (name, preset) in enumerate(presets.items()):
            images = prompt.images.get(name)
            if not images:
                continue
            above, below = axes[2 * i, j], axes[2 * i + 1, j]
            above.imshow(np.clip(images[0], 0, 1), interpolation="none")
            edges = edge_maps(resize_images(images, preset.size), preset)
            agreed = agreed_edges(edges, preset.agreement)
            below.imshow(~agreed, cmap="gray", vmin=0, vmax=1, interpolation="none")
            below.text(
                0.5, -0.02, f"{agreed.mean():.3f}", transform=below.transAxes, ha="center",
                va="top", fontsize=6.5,
            )  # fmt: skip
    for i, (name, preset) in enumerate(presets.items()):
        middle = 1 - (0.3 + side * (2 * i + 1)) / high
        figure.text(0, middle, preset_title(name, preset), va="center", fontsize=7)
    return figure
