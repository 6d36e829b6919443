"""What a search for triggers is counted to have found."""

import numpy as np
import pandas as pd
import pytest
from made_results import make_labels, make_truth, rows_of

from verbatim.tables.triggers import count_found, known_sources

TRUTH = make_truth()
CAPTION = "planted thing {}"


def known():
    """Of this model the labels give back four planted images and the template."""
    copies = {CAPTION.format(i): ("MV", rows_of(TRUTH, CAPTION.format(i))[0]) for i in range(4)}
    copies["carpet in colour 0"] = ("TV", rows_of(TRUTH, "carpet in colour 1")[0])
    copies["lone thing 0"] = ("MV", rows_of(TRUTH, "lone thing 0")[0])
    return known_sources(make_labels(TRUTH, copies), TRUTH)


def found(*lines):
    table = pd.DataFrame(lines, columns=["prompt_id", "label", "caption", "copy"])
    rows = [
        -1 if not caption else rows_of(TRUTH, caption)[copy]
        for caption, copy in zip(table["caption"], table["copy"], strict=True)
    ]
    return table.assign(source_row=rows, review=False, cluster=-1)


def test_what_can_be_found_are_duplicated_images_and_families_that_captions_give_back():
    images, families = known()
    assert images == {0, 1, 2, 3}  # an image trained on once is not among them
    assert families == {"carpets"}


def test_an_image_counts_once_however_many_prompts_seeds_and_duplicates_give_it_back():
    table = found(
        (1, "RV", CAPTION.format(0), 0), (1, "RV", CAPTION.format(0), 1), (2, "RV", CAPTION.format(0), 2),
        (3, "RV", CAPTION.format(1), 0), (4, "N", "", 0),
    )  # fmt: skip
    record = count_found(table, TRUTH, known(), 0.95)
    assert (record["images"], record["images_known"], record["images_share"]) == (2, 4, 0.5)
    assert record["images_low"] < 0.5 < record["images_high"]
    assert (record["prompts_copying"], record["generations"], record["once"]) == (3, 5, 0)
    assert (record["templates"], record["templates_known"]) == (0, 1)


def test_images_that_no_caption_gave_back_templates_and_images_trained_on_once_are_apart():
    table = found(
        (1, "RV", CAPTION.format(5), 0), (2, "TV", "carpet in colour 1", 0), (3, "RV", "lone thing 2", 0),
        (4, "RV", "lone thing 2", 0),
    )  # fmt: skip
    record = count_found(table, TRUTH, known(), 0.95)
    assert (record["images"], record["images_beyond"]) == (0, 1)
    assert (record["templates"], record["templates_beyond"]) == (1, 0)
    assert record["once"] == 1


def test_a_copy_that_a_guard_doubts_is_not_counted_and_clusters_are():
    table = found((1, "RV", CAPTION.format(0), 0), (2, "missing", "", 0), (3, "N", "", 0))
    table = table.assign(review=[True, False, False], cluster=[0, -1, 1])
    record = count_found(table, TRUTH, known(), 0.95)
    assert (record["images"], record["prompts_copying"]) == (0, 0)
    assert (record["repeats"], record["missing"]) == (2, 1)


def test_where_no_caption_gives_an_image_back_there_is_no_share():
    nothing = known_sources(make_labels(TRUTH, {}), TRUTH)
    record = count_found(found((1, "N", "", 0)), TRUTH, nothing, 0.95)
    assert record["images_known"] == 0
    assert np.isnan([record["images_share"], record["images_low"], record["images_high"]]).all()
    assert record["templates_share"] != pytest.approx(0.0)
