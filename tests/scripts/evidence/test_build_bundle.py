"""Rule build_bundle: what goes into a bundle, byte for byte, and that it is replayed before it is written."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess

import numpy as np
import pytest
from bundles import findings_of, read_files
from evidence_rules import ROOT, build_bundle, check_copies
from made_evidence import EVIL, IDS, KINDS, PARTNER, TEST, close_system, make_labels, write_labels

from verbatim.evidence.bundle import BundleError
from verbatim.evidence.null import empirical_p, relative_null
from verbatim.evidence.replay import check_bundle
from verbatim.evidence.statements import FOUND, LABEL
from verbatim.io.images import ImageArchive, decode_image, generation_name, row_name, write_archive
from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.io.software_version import software_version
from verbatim.metrics.fdr import benjamini_hochberg


@pytest.fixture(scope="module")
def bundle(verified):
    return build_bundle(verified)


def kinds_of(finding):
    return [pair["kind"] for pair in finding["comparisons"]]


@pytest.mark.slow
def test_a_bundle_holds_every_copy_with_what_it_rests_on(bundle):
    files = read_files(bundle)
    findings = findings_of(files)
    assert set(findings) == {IDS[i] for i in KINDS}
    run = json.loads(files["run.json"])
    assert run["weights"] == {"unet/model.safetensors": "a" * 64}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    assert run["code"]["git_commit"] == commit.stdout.strip()
    assert run["code"]["version"] == software_version(ROOT)
    assert set(run["code"]["modules"]) == {"labels/label.py", "metrics/rmse.py"}
    assert run["settings"]["labels"]["thresholds"] == {"mv": 0.12, "rv": 0.12, "tv": 0.12}
    finding = findings[IDS[0]]
    assert finding["prompt"] == EVIL
    assert finding["sources"]["0"] == {
        "caption": EVIL,
        "url": "https://images.example/0?a=<b>",
    }
    assert kinds_of(finding) == ["MV", "RV", "verifier"]
    assert files[f"findings/{IDS[0]}/source_0.png"][:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.slow
def test_a_template_comes_with_the_image_that_its_mask_was_made_with(bundle):
    files = read_files(bundle)
    finding = findings_of(files)[IDS[3]]
    assert kinds_of(finding) == ["MV", "RV", "TV", "verifier"]
    assert finding["comparisons"][2]["partner"] == PARTNER
    assert {f"findings/{IDS[3]}/{name}" for name in ("mask.png", f"source_{PARTNER}.png")} <= set(
        files
    )


def test_images_are_the_archives_byte_for_byte_and_their_digests_are_said(bundle, verified):
    files, folder = read_files(bundle), f"findings/{IDS[0]}"
    finding = findings_of(files)[IDS[0]]
    with ImageArchive(verified / "labels/sd1/images.zip") as archive:
        data = archive.read_bytes(generation_name(IDS[0], 0))
    assert files[f"{folder}/generated_0.png"] == data
    assert finding["original_sha256"]["generated_0.png"] == hashlib.sha256(data).hexdigest()


def test_a_finding_has_the_columns_that_the_tables_have():
    assert list(LABEL) == SCHEMAS["labels"].names
    assert list(FOUND) == SCHEMAS["verification"].names
    python = {"int8": int, "int32": int, "int64": int, "double": float, "string": str, "bool": bool}
    for columns, kind in ((LABEL, "labels"), (FOUND, "verification")):
        assert list(columns.values()) == [python[str(one.type)] for one in SCHEMAS[kind]]


def test_one_finding_is_asked_for_by_its_prompt(verified):
    files = read_files(build_bundle(verified, finding=str(IDS[9])))
    assert list(findings_of(files)) == [IDS[9]]
    with pytest.raises(BundleError, match="prompt_id 7 is no candidate of this model"):
        build_bundle(verified, finding="7")


@pytest.mark.slow
def test_a_closed_systems_findings_are_replayed_by_the_seeds_that_each_prompt_has(tmp_path):
    close_system(write_labels(tmp_path))
    check_copies(tmp_path, seeds=[])
    files = read_files(build_bundle(tmp_path))
    assert check_bundle(files, None).faults == []
    findings = findings_of(files)
    assert kinds_of(findings[IDS[0]]) == ["MV", "RV", "verifier"]
    assert kinds_of(findings[IDS[9]]) == ["MV", "RV", "verifier"]  # seen in its third image alone
    assert findings[IDS[9]]["comparisons"][2]["seed"] == 99999


def test_a_prompt_whose_own_image_was_not_read_is_replayed_as_far_as_it_can_be(verified, tmp_path):
    root = shutil.copytree(verified, tmp_path / "run")
    path = root / "labels/sd1/labels.parquet"
    labels, found = (
        read_table(path, "labels"),
        read_table(root / "evidence/sd1/verification.parquet", "verification"),
    )
    nearest = labels.loc[1, ["seed_rv", "row_rv", "distance_rv"]].to_list()
    labels.loc[1, ["label", "status", "review_reason"]] = ["missing", "missing", "own not read"]
    labels.loc[1, ["seed", "source_row", "distance"]] = nearest
    labels.loc[1, ["seed_mv", "row_mv", "crop_mv", "distance_mv"]] = [-1, -1, "", np.nan]
    labels.loc[9, ["label", "status", "seed", "source_row"]] = ["missing", "missing", -1, -1]
    write_table(path, "labels", labels)
    found.loc[1, "label"] = "missing"  # the verifier finds the crop all the same
    write_table(root / "evidence/sd1/verification.parquet", "verification", found)
    result = check_bundle(read_files(build_bundle(root, name="missing")), None)
    assert result.faults == []
    assert [(one.prompt_id, one.what) for one in result.left] == [(IDS[1], "label missing")]
    with pytest.raises(BundleError, match="has no image to compare with"):
        build_bundle(root, finding=str(IDS[9]))


def test_a_pair_that_was_not_looked_at_closely_is_no_distance_to_replay(verified, tmp_path):
    root = shutil.copytree(verified, tmp_path / "run")
    path = root / "evidence/sd1/verification.parquet"
    found = read_table(path, "verification")
    groups = read_table(path.with_name("null.parquet"), "null").groupby("image")["residual"]
    null = {image: residuals.to_numpy() for image, residuals in groups}
    first = found.loc[0]
    scale = first["residual"] / first["relative"]
    found.loc[0, ["residual", "relative"]] = [0.9, 0.9 / scale]  # measured at the coarse size
    of_all = np.concatenate([relative_null(one, TEST["quantile"]) for one in null.values()])
    found.loc[0, "p_pair"] = empirical_p(np.array([0.9 / scale]), of_all)[0]
    found.loc[0, "p"] = min(1.0, found.loc[0, "p_pair"] * first["n_pairs"])
    found["q"] = benjamini_hochberg(found["p"])
    found["verified"] = found["q"].le(TEST["alpha"]) & found["doubt"].eq("")
    write_table(path, "verification", found)
    files = read_files(build_bundle(root, name="coarse"))
    assert check_bundle(files, None).faults == []
    findings = findings_of(files)
    assert "verifier" not in kinds_of(findings[IDS[0]])
    assert "verifier" in kinds_of(findings[IDS[3]])


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("label", f"prompt {IDS[0]}: label is 'RV', its distances and thresholds give 'MV'"),
        ("image", f"prompt {IDS[0]}: MV is 0.0, its images give 0"),
        ("gone", f"prompt {IDS[0]}: .*0.png.* cannot be read"),
    ],
)
def test_a_run_whose_own_files_disagree_gives_no_bundle_and_says_which_prompt(
    verified, tmp_path, what, told
):
    root = shutil.copytree(verified, tmp_path / "run")
    if what == "label":
        for path, kind in (("labels/sd1/labels", "labels"), ("evidence/sd1/verification", "verification")):  # fmt: skip
            table = read_table(root / f"{path}.parquet", kind)
            table.loc[table["prompt_id"] == IDS[0], "label"] = "RV"
            write_table(root / f"{path}.parquet", kind, table)
    else:
        path = root / "labels/sd1/training.zip"
        with ImageArchive(path) as archive:
            images = dict(archive)
        images[row_name(0)] = images[row_name(7)]
        if what == "gone":
            del images[row_name(0)]
        write_archive(path, images.items())
    with pytest.raises(BundleError, match=told + r".*delete them and run again"):
        build_bundle(root, name=what)
    assert not (root / "evidence/bundles/sd1" / what).exists()


def test_blurred_images_are_beyond_recognition_and_nothing_else_leads_to_them(verified):
    files = read_files(build_bundle(verified, images="blurred", only=[IDS[0]], name="blurred"))
    findings = findings_of(files)
    folder = f"findings/{IDS[0]}"
    with ImageArchive(verified / "labels/sd1/images.zip") as archive:
        own = archive.read(generation_name(IDS[0], 0))
    shown = decode_image(files[f"{folder}/generated_0.png"])
    assert shown.shape == own.shape
    assert shown.std(axis=(0, 1)).max() < 0.5 * own.std(axis=(0, 1)).max()
    assert f"{folder}/residual.png" not in files
    assert findings[IDS[0]]["original_sha256"] == {}
    assert {one["url"] for one in findings[IDS[0]]["sources"].values()} == {""}
    assert findings[IDS[3]]["images"] == "full"
    result = check_bundle(files, None)
    assert result.faults == []
    assert {(one.prompt_id, one.why) for one in result.left} == {(IDS[0], "its images are blurred")}


def test_a_bundle_without_images_has_none_not_even_a_mask(verified):
    files = read_files(build_bundle(verified, images="none", name="none"))
    assert [path for path in files if path.endswith(".png")] == []
    assert not any(b"images.example" in data for data in files.values())
    result = check_bundle(files, None)
    assert result.faults == []
    assert {one.why for one in result.left} == {"its images were left out"}


def test_the_same_run_gives_the_same_bundle(verified, bundle):
    assert read_files(build_bundle(verified, name="again")) == read_files(bundle)


def test_labels_keep_the_pair_of_every_distance():
    labels = make_labels()
    for kind in ("mv", "rv", "tv"):
        there = labels[f"distance_{kind}"].notna()
        assert labels[f"row_{kind}"].ge(0).eq(there).all()
        assert labels[f"seed_{kind}"].ge(0).eq(there).all()
        assert labels[f"crop_{kind}"].ne("").eq(there).all()
    assert labels.loc[3, ["row_tv", "partner_tv", "partner_crop_tv"]].to_list() == [
        3, PARTNER, "whole",
    ]  # fmt: skip
