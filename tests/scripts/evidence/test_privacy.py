"""Bundles and the review page show and tell nothing that the privacy switch hides."""

from __future__ import annotations

import shutil

import pytest
from evidence_rules import build_bundle, build_review, build_sheet
from made_evidence import IDS
from marked_images import addresses_in, files_under, mark_archive, marks_in

from verbatim.io.privacy import PrivacyError
from verbatim.io.records import read_table, write_table

ADDRESS = "https://images.example/"


@pytest.fixture(scope="module")
def marked(verified, tmp_path_factory):
    """The run with every image marked; its labels are those of the images before."""
    root = shutil.copytree(verified, tmp_path_factory.mktemp("marked") / "run")
    for model in ("sd1", "sd2"):
        for name in ("images", "training"):
            mark_archive(root / f"labels/{model}/{name}.zip")
    decisions = root / "review.csv"
    decisions.write_text("model,prompt_id,decision,note,reviewer,date\n")
    return root


def review(root, **how):
    return build_review(root, root / "review.csv", **how)


@pytest.mark.slow
@pytest.mark.parametrize("images", ["blurred", "none"])
def test_the_review_page_shows_no_original_and_tells_no_address(marked, images):
    full = files_under(review(marked))
    assert sum(map(marks_in, full)) > 0  # so the search finds what is shown
    assert sum(addresses_in(path, ADDRESS) for path in full) > 0
    hidden = files_under(review(marked, images=images))
    assert {marks_in(path) for path in hidden} == {0}
    assert {addresses_in(path, ADDRESS) for path in hidden} == {0}
    shown = [path for path in hidden if path.suffix == ".png"]
    assert bool(shown) == (images == "blurred")


def test_the_review_page_hides_the_prompts_that_are_named_alone(marked):
    folder = review(marked, images="blurred", only=[IDS[0]])
    assert marks_in(folder / f"images/sd1/{IDS[0]}.png") == 0
    assert marks_in(folder / f"images/sd1/{IDS[1]}.png") > 0
    with pytest.raises(PrivacyError, match=r"privacy.only has \[7\]"):
        review(marked, images="blurred", only=[7])


@pytest.mark.parametrize("images", ["blurred", "none"])
def test_a_bundle_holds_no_original_no_digest_and_no_address(verified, images, tmp_path):
    """Of the run as it is: a bundle of images that do not fit their labels is not built."""
    originals = set()
    full = build_bundle(verified, name="open")
    for path in files_under(full):
        if path.suffix == ".png":
            originals.add(path.read_bytes())
    assert sum(addresses_in(path, ADDRESS) for path in files_under(full)) > 0
    digests = {digest for path in full.rglob("finding.json") for digest in digests_in(path)}
    assert len(digests) > 10
    for path in files_under(build_bundle(verified, images=images, name=f"hidden_{images}")):
        data = path.read_bytes()
        assert data not in originals, path
        assert addresses_in(path, ADDRESS) == 0, path
        assert not any(digest.encode() in data for digest in digests), path


def digests_in(path):
    import json

    return json.loads(path.read_bytes())["original_sha256"].values()


def test_a_bundle_refuses_an_id_that_is_no_prompt(verified):
    with pytest.raises(PrivacyError, match=r"privacy.only has \[123\], no prompts of this run"):
        build_bundle(verified, images="blurred", only=[IDS[0], 123], name="wrong")


def test_a_prompt_of_another_model_is_known_too(verified, tmp_path):
    root = shutil.copytree(verified, tmp_path / "run")
    path = root / "labels/sd1/labels.parquet"
    labels = read_table(path, "labels")
    write_table(path, "labels", labels[labels["prompt_id"] != IDS[9]])
    write_table(root / "prompts.parquet", "labels", labels)
    folder = build_bundle(root, images="blurred", only=[IDS[9]], known=[root / "prompts.parquet"])
    assert (folder / f"findings/{IDS[0]}/residual.png").is_file()


@pytest.mark.parametrize("images", ["blurred", "none"])
def test_a_sheet_shows_no_original_where_it_may_not(marked, images):
    assert marks_in(build_sheet(marked)[0]) > 0
    assert marks_in(build_sheet(marked, images=images)[0]) == 0
