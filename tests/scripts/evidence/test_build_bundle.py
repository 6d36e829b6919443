"""Rule build_bundle and its replay: nothing changes unseen, and the distances follow from the pictures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from evidence_rules import ROOT, build_bundle
from made_evidence import EVIL, IDS, KINDS, make_labels

from verbatim.evidence.bundle import BundleError
from verbatim.evidence.manifest import NAME
from verbatim.evidence.replay import TOLERANCE, check_bundle
from verbatim.images import (
    ImageArchive,
    decode_image,
    encode_png,
    row_name,
    synthesis_name,
    write_archive,
)
from verbatim.records import read_table, write_table

TOOL = ROOT / "workflow/tools/verify_bundle.py"


def files_in(folder: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def bundle(verified):
    return build_bundle(verified)


@pytest.fixture(scope="module")
def head(bundle):
    return bundle.with_name(bundle.name + ".head").read_text().strip()


def verify(*words):
    done = subprocess.run(
        [sys.executable, str(TOOL), *map(str, words)], capture_output=True, text=True, cwd="/"
    )
    return done.returncode, done.stdout + done.stderr


def test_a_bundle_holds_every_copy_with_what_it_rests_on(bundle):
    files = files_in(bundle)
    found = {
        json.loads(data)["prompt_id"]
        for path, data in files.items()
        if path.endswith("finding.json")
    }
    assert found == {IDS[i] for i in KINDS}
    run = json.loads(files["run.json"])
    assert run["weights"] == {"unet/model.safetensors": "a" * 64}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    assert run["code"]["git_commit"] == commit.stdout.strip()
    assert set(run["code"]["modules"]) == {"labels/label.py", "verbatim/compare.py"}
    assert run["settings"]["labels"]["thresholds"] == {"mv": 0.12}
    finding = json.loads(files[f"findings/{IDS[0]}/finding.json"])
    assert finding["prompt"] == EVIL
    first = finding["comparisons"][0]
    assert first["source_url"] == "https://pictures.example/0?a=<b>"
    assert first["kind"] == "label MV"
    assert files[first["source"]][:8] == b"\x89PNG\r\n\x1a\n"


def test_every_stored_distance_is_replayed_from_the_pictures_alone(bundle, head):
    faults, replays = check_bundle(files_in(bundle), head)
    assert faults == []
    labels = make_labels().set_index("prompt_id")
    kinds = {}
    for one in replays:
        kinds.setdefault(one.prompt_id, set()).add(one.kind)
        assert abs(one.stored - one.replayed) <= TOLERANCE == 1e-6
        if one.kind in ("MV", "RV", "TV"):
            assert one.stored == labels.loc[one.prompt_id, f"distance_{one.kind.lower()}"]
    assert kinds[IDS[0]] == {"label MV", "MV", "RV", "verifier"}
    assert kinds[IDS[3]] == {"label TV", "MV", "RV", "TV", "verifier"}


def test_any_one_of_two_hundred_changed_bytes_is_found_and_its_file_named(bundle, head):
    files = files_in(bundle)
    names = sorted(files)
    sizes = np.array([len(files[name]) for name in names])
    rng = np.random.default_rng(0)
    for at in rng.choice(sizes.sum(), 200, replace=False):
        name = names[int(np.searchsorted(np.cumsum(sizes), at, side="right"))]
        place = int(rng.integers(len(files[name])))
        data = bytearray(files[name])
        data[place] ^= int(rng.integers(1, 256))
        faults, _ = check_bundle(files | {name: bytes(data)}, head)
        assert any(name in fault for fault in faults), (name, place)


def test_a_forged_distance_is_told_by_the_pictures(bundle):
    files = files_in(bundle)
    path = f"findings/{IDS[1]}/finding.json"
    finding = json.loads(files[path])
    finding["comparisons"][0]["distance"] += 1e-5
    faults, _ = check_bundle(files | {path: json.dumps(finding).encode()}, None)
    assert any(f"prompt {IDS[1]}: label N is" in fault for fault in faults)


def test_the_tool_says_that_all_is_well_and_needs_numpy_and_pillow_alone(bundle, head, tmp_path):
    stamp = bundle / ".snakemake_timestamp"
    stamp.touch()
    code, text = verify(bundle)
    stamp.write_text("mine")
    assert verify(bundle)[0] == 1
    stamp.unlink()
    assert code == 0, text
    assert head in text
    assert "0 faults" in text
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nfor name in ('pandas', 'pyarrow', 'scipy', 'torch', 'snakemake'): sys.modules[name] = None\n"
    )
    done = subprocess.run(
        [sys.executable, str(TOOL), str(bundle), "--head", head],
        env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_tool_names_what_was_changed_and_answers_one(bundle, tmp_path):
    copy = tmp_path / "all"
    shutil.copytree(bundle, copy)
    shutil.copy(bundle.with_name("all.head"), tmp_path / "all.head")
    picture = next(copy.rglob("source_*.png"))
    data = bytearray(picture.read_bytes())
    data[60] ^= 1
    picture.write_bytes(bytes(data))
    (copy / "note.txt").write_text("mine")
    code, text = verify(copy)
    assert code == 1
    assert f"{picture.relative_to(copy)}: its bytes were changed" in text
    assert "note.txt: is there and not listed" in text
    assert verify(copy, "--head", "0" * 64)[0] == 1
    code, text = verify(tmp_path / "absent")
    assert code == 2
    assert "no such folder" in text
    assert "--head" in verify("--help")[1]


def test_one_finding_is_asked_for_by_its_prompt(verified):
    folder = build_bundle(verified, finding=str(IDS[9]))
    found = [path for path in files_in(folder) if path.endswith("finding.json")]
    assert found == [f"findings/{IDS[9]}/finding.json"]
    with pytest.raises(BundleError, match="prompt_id 7 is no candidate of this model"):
        build_bundle(verified, finding="7")


def test_a_pair_that_was_not_looked_at_closely_is_no_distance_to_replay(verified, tmp_path):
    root = shutil.copytree(verified, tmp_path / "run")
    path = root / "evidence/sd1/verification.parquet"
    found = read_table(path, "verification")
    found.loc[found["prompt_id"] == IDS[0], "residual"] = 0.9  # measured at the coarse size
    write_table(path, "verification", found)
    faults, replays = check_bundle(files_in(build_bundle(root, name="coarse")), None)
    assert faults == []
    assert "verifier" not in {one.kind for one in replays if one.prompt_id == IDS[0]}
    assert "verifier" in {one.kind for one in replays if one.prompt_id == IDS[3]}


def test_a_picture_that_the_labels_could_not_read_is_left_out(verified, tmp_path):
    root = shutil.copytree(verified, tmp_path / "run")
    path = root / "labels/sd1/training.zip"
    with ImageArchive(path) as archive:
        pictures = dict(archive)
    strip = np.zeros((1, 60_000, 3), np.float32)
    write_archive(path, (pictures | {row_name(1): strip}).items())  # row 1: a neighbour of prompt 0
    files = files_in(build_bundle(root, finding=str(IDS[0])))
    faults, replays = check_bundle(files, None)
    assert faults == []
    assert {one.kind for one in replays} == {"label MV", "MV", "verifier"}
    finding = json.loads(files[f"findings/{IDS[0]}/finding.json"])
    source = finding["comparisons"][0]["source"]
    faults, replays = check_bundle(files | {source: encode_png(strip)}, None)
    assert any(source in fault for fault in faults)  # its hash
    assert all("60000:1" in one.why for one in replays)


def test_blurred_pictures_are_beyond_recognition_and_verify_says_what_it_cannot_replay(verified):
    folder = build_bundle(verified, pictures="blurred", only=[IDS[0]], name="blurred")
    files = files_in(folder)
    finding = json.loads(files[f"findings/{IDS[0]}/finding.json"])
    with ImageArchive(verified / "labels/sd1/images.zip") as archive:
        own = archive.read(synthesis_name(IDS[0], 0))
    shown = decode_image(files[finding["comparisons"][0]["generated"]])
    assert shown.shape == own.shape
    assert shown.std(axis=(0, 1)).max() < 0.5 * own.std(axis=(0, 1)).max()
    faults, replays = check_bundle(files, None)
    assert faults == []
    whys = {one.prompt_id: one.why for one in replays}
    assert whys.pop(IDS[0]) == "its pictures are blurred"
    assert set(whys.values()) == {""}


def test_a_bundle_without_pictures_keeps_their_digests(verified):
    import hashlib

    files = files_in(build_bundle(verified, pictures="none", name="none"))
    assert [path for path in files if path.endswith(".png")] == [f"findings/{IDS[3]}/mask.png"]
    finding = json.loads(files[f"findings/{IDS[0]}/finding.json"])
    with ImageArchive(verified / "labels/sd1/images.zip") as archive:
        data = archive.read_bytes(synthesis_name(IDS[0], 0))
    assert finding["original_sha256"]["generated_0.png"] == hashlib.sha256(data).hexdigest()
    faults, replays = check_bundle(files, None)
    assert faults == []
    assert {one.why for one in replays} == {"its pictures were left out"}


def test_the_same_run_gives_the_same_bundle(verified, bundle):
    again = build_bundle(verified, name="again")
    assert files_in(again) == files_in(bundle)
    assert NAME in files_in(again)
