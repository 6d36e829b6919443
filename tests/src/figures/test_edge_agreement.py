"""The figure of what ECS sees."""

import numpy as np

from verbatim.figures.edge_agreement import Judged, plot_edge_agreement, preset_title
from verbatim.metrics.edges import EdgePreset, edge_consistency, edge_maps, resize_images

PRESETS = {
    "small": EdgePreset(16, "nd", 2.0, 0.5, guidance=3.0),
    "large": EdgePreset(64, "nd", 1.5, 0.5, guidance=7.5),
}
RNG = np.random.default_rng(0)


def test_each_preset_shows_its_own_images_and_the_number_is_their_ecs():
    images = {
        name: [RNG.random((16, 16, 3)).astype(np.float32) for _ in range(4)] for name in PRESETS
    }
    figure = plot_edge_agreement([Judged("60 x", images)], PRESETS)
    shown, maps = figure.axes[0::2], figure.axes[1::2]
    for ax, below, (name, preset) in zip(shown, maps, PRESETS.items(), strict=True):
        np.testing.assert_allclose(ax.get_images()[0].get_array(), images[name][0])
        black = ~np.asarray(below.get_images()[0].get_array(), bool)
        assert black.shape == (preset.size, preset.size)
        edges = edge_maps(resize_images(images[name], preset.size), preset)
        expected = edge_consistency(edges, preset.agreement)
        assert black.mean() == expected
        assert below.texts[0].get_text() == f"{expected:.3f}"


def test_a_prompt_that_may_not_be_shown_leaves_its_column_empty():
    figure = plot_edge_agreement([Judged("never", {})], PRESETS)
    assert not any(ax.get_images() for ax in figure.axes)


def test_a_preset_says_its_size_beside_its_threshold():
    assert preset_title("small", PRESETS["small"]) == "small: guidance 3,\n16 px, threshold 2"
