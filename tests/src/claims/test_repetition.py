"""Repeated images and users' prompts are drawn of what there is, and said to be missing where there is nothing."""

import numpy as np
import pandas as pd
from figure_texts import whole_text
from made_claims import made_clusters, made_grid, made_measures, row

from verbatim.claims.repetition import SHARES, plot_clusters, plot_users
from verbatim.io.measures import Measures
from verbatim.similarity.users import add_users


def test_clusters_of_one_image_are_drawn_by_how_often_and_by_captions():
    r = [row("full10", seed, "none", "pearson:cluster_size", 0.2 + 0.2 * seed) for seed in (0, 1)]
    r.append(row("mc_full10", 0, "none", "pearson:cluster_size", 0.9))  # not as the base
    figure = plot_clusters(made_clusters(), pd.DataFrame(r), made_grid())
    left, right = figure.axes
    assert [len(cloud.get_offsets()) for cloud in left.collections] == [6, 6]
    assert [len(cloud.get_offsets()) for cloud in right.collections] == [3, 3]
    (line,) = left.lines  # of points as the base alone
    np.testing.assert_allclose(line.get_ydata(), [0.7, 0.55])
    assert "r = 0.30 within a data set (mean of 2)" in whole_text(figure)
    assert "nothing varies" in right.get_title(loc="left")
    assert {"image and caption, mean", "other points"} <= {
        t.get_text() for t in figure.legends[0].texts
    }


def test_clusters_that_nothing_came_near_leave_nothing_to_draw():
    for clusters in (made_clusters().iloc[:0], made_clusters().assign(generations=0)):
        figure = plot_clusters(clusters, made_measures(), made_grid())
        assert "no images were generated" in whole_text(figure)


def test_users_shares_stand_beside_what_nobody_trained_on():
    drawn = pd.DataFrame(
        {"similarity": [0.9, 0.8, 0.2, 0.6], "describes": [True, False, True, False], "match": [1, 1, 2, 2]}
    )  # fmt: skip
    out = Measures("users", 0, "none")
    add_users(out, drawn, {1: 10.0, 2: 1.0}, np.array([0.75, 0.1]), 0.7, 0.95)
    figure = plot_users(pd.concat([made_measures(), out.table]))
    (ax,) = figure.axes
    assert [label.get_text().partition(" (n")[0] for label in ax.get_yticklabels()] == [
        *SHARES.values()
    ]
    assert "all prompts (n = 4)" in whole_text(figure)
    assert "similarity above 0.7" in ax.get_xlabel()
    none = out.table[out.table["measure"] != "users_above:described"]
    assert "describes its match (n" not in whole_text(plot_users(none))


def test_a_run_without_users_says_so():
    assert "no prompts of users" in whole_text(plot_users(made_measures()))
