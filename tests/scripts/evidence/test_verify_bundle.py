"""verify_bundle.py, as a stranger runs it: nothing that was changed is ever called sound."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from bundles import (
    FAULTY,
    NO_BUNDLE,
    SOUND,
    TOOL,
    UNPROVEN,
    also,
    change_finding,
    change_run,
    drop,
    findings_of,
    line,
    put,
    read_files,
    replace_image,
    seal,
    swap,
    verify,
    write,
)
from evidence_rules import build_bundle
from made_evidence import CAPTIONS, IDS, image

from verbatim.evidence.replay import check_bundle
from verbatim.io.images import encode_png

MV, N, TV = (f"findings/{IDS[i]}/finding.json" for i in (0, 1, 3))
HERE = f"findings/{IDS[0]}"


@pytest.fixture(scope="module")
def bundle(verified):
    return build_bundle(verified)


@pytest.fixture(scope="module")
def files(bundle):
    return read_files(bundle)


@pytest.fixture(scope="module")
def head(bundle):
    return bundle.with_name(bundle.name + ".head").read_text().strip()


def judge(files, head=None):
    """The answer that the tool gives of files in memory, where the head is known to be theirs."""
    result = check_bundle(files, head)
    return FAULTY if result.faults else UNPROVEN if result.left else SOUND


def test_a_bundle_as_it_was_made_is_sound_to_whoever_was_given_its_head(bundle, head):
    code, text = verify(bundle, "--head", head)
    assert code == SOUND, text
    assert "its head is the one that you gave" in text
    assert "0 faults" in text
    assert (
        "labels by preset 'paper': MV 0.12, RV 0.12, TV 0.12, asked in the order TV, MV, RV" in text
    )
    assert re.search(r"p and q of 4 findings follow from \d{3,} residuals .* of 24 prompts", text)
    quiet = verify(bundle, "--head", head, "--quiet")[1]
    assert len(quiet.splitlines()) < len(text.splitlines())


def test_a_head_that_lies_beside_a_bundle_is_no_origin(bundle):
    code, text = verify(bundle)
    assert code == UNPROVEN
    assert "origin unknown" in text


@pytest.mark.slow
def test_it_needs_numpy_and_pillow_alone(bundle, head, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nfor name in ('pandas', 'pyarrow', 'scipy', 'torch', 'snakemake', 'yaml'): sys.modules[name] = None\n"
    )
    done = subprocess.run(
        [sys.executable, str(TOOL), str(bundle), "--head", head],
        env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == SOUND, done.stderr


def test_what_snakemake_leaves_in_a_folder_belongs_to_no_bundle_but_does_no_harm(bundle, head):
    stamp = bundle / ".snakemake_timestamp"
    stamp.touch()
    assert verify(bundle, "--head", head)[0] == SOUND
    stamp.write_text("mine")
    assert verify(bundle, "--head", head)[0] == FAULTY
    stamp.unlink()


def test_another_head_an_absent_folder_and_a_wrong_question_have_answers_of_their_own(
    bundle, tmp_path
):
    assert verify(bundle, "--head", "0" * 64)[0] == FAULTY
    code, text = verify(tmp_path / "absent")
    assert code == NO_BUNDLE
    assert "no such folder" in text
    assert verify(bundle, "--head", "abc")[0] == NO_BUNDLE
    assert verify(bundle, "--signer", "me")[0] == NO_BUNDLE
    told = verify("--help")[1]
    for word in ("--head", "--allowed-signers", "--tsa-ca", "sound", "faulty", "sealed"):
        assert word in told


@pytest.mark.parametrize("images", ["blurred", "none"])
def test_what_cannot_be_replayed_is_counted_and_is_never_sound(verified, images):
    folder = build_bundle(verified, images=images, name=images)
    head = folder.with_name(images + ".head").read_text().strip()
    code, text = verify(folder, "--head", head)
    assert code == UNPROVEN
    assert "not replayed, 14 statements: its images" in text
    assert "not all of it was replayed" in text


# ---- a bundle that was changed and sealed again, given with its new head


def scale_p(path, by, also_q=False):
    """A finding's p, and p of its pair, times `by`; its q too."""

    def change(files):
        finding = json.loads(files[path])
        for name in ("p_pair", "p", *(["q"] if also_q else [])):
            finding["verification"][name] *= by
        return files | {path: line(finding)}

    return change


def move_p(path, by):
    """The finding's p-value in the list of all prompts times `by`; `path` has been changed."""

    def change(files):
        p = json.loads(files[path])["verification"]["p"]

        def move(lines):
            lines[0]["p"].remove(p / by)
            lines[0]["p"] = sorted([*lines[0]["p"], p])

        return change_null(move)(files)

    return change


def change_null(change):
    """Change the lines of null.jsonl in place."""

    def changed(files):
        lines = [json.loads(one) for one in files["null.jsonl"].splitlines()]
        change(lines)
        return files | {"null.jsonl": b"".join(line(one) for one in lines)}

    return changed


def give_null(files, path, null):
    finding = json.loads(files[path])
    assert finding["null"] != null
    return files | {path: line(finding | {"null": null})}


FORGED = {
    "label N becomes MV": change_finding(N, label__label="MV"),
    "label N becomes MV everywhere": change_finding(N, label__label="MV", verification__label="MV"),
    "label MV becomes N": change_finding(MV, label__label="N", verification__label="N"),
    "label of no kind": change_finding(MV, label__label="XX", verification__label="XX"),
    "label missing": change_finding(MV, label__label="missing", verification__label="missing", label__status="missing"),
    "another prompt": change_finding(N, prompt="portrait of Jane Doe"),
    "another prompt and caption": change_finding(N, prompt="Jane Doe", label__caption="Jane Doe"),
    "another key": change_finding(N, prompt_id=7),
    "distance": change_finding(N, label__distance_mv=0.05),
    "distance everywhere": change_finding(
        N, label__distance_mv=0.05, label__distance=0.05, label__label="MV", verification__label="MV", comparisons__0__distance=0.05
    ),
    "distance beyond the tolerance": change_finding(
        N, label__distance_mv=0.1609518 + 1e-5, label__distance=0.1609518 + 1e-5, comparisons__0__distance=0.1609518 + 1e-5
    ),
    "no distance": change_finding(MV, label__distance_rv=None),
    "residual": change_finding(N, verification__residual=0.01, comparisons__2__distance=0.01),
    "source of the label": change_finding(MV, label__source_row=1),
    "seed of the label": change_finding(MV, label__seed=1),
    "seed of a pair": change_finding(MV, label__seed_mv=1, label__seed=1, comparisons__0__seed=1),
    "crop": change_finding(MV, label__crop="pad", label__crop_mv="pad", comparisons__0__crop="pad"),
    "review": change_finding(MV, label__review=True, label__review_reason="training image: white"),
    "preset": change_finding(MV, label__preset="carlini"),
    "mask area": change_finding(TV, label__mask_area=0.5),
    "partner": change_finding(TV, label__partner_tv=3, comparisons__2__partner=3),
    "mask file": change_finding(TV, label__mask_file="other.png"),
    "retrieved becomes own": change_finding(MV, sources__1__caption=CAPTIONS[0]),
    "own becomes retrieved": change_finding(MV, label__row=5, sources__0__caption="another"),
    "verified": change_finding(MV, verification__verified=False),
    "q": change_finding(MV, verification__q=0.5),
    "p": change_finding(MV, verification__p=0.9),
    "p of the pair and p": scale_p(MV, 0.5),
    "p, its pairs and its q": scale_p(MV, 0.5, also_q=True),
    "p everywhere, and in the null": also(scale_p(MV, 0.5, also_q=True), move_p(MV, 0.5)),
    "p of a pair that is none": change_finding(N, verification__p_pair=0.001, verification__p=0.004),
    "fewer pairs": change_finding(N, verification__n_pairs=1),
    "relative": change_finding(MV, verification__relative=0.001),
    "size of the null": change_finding(MV, verification__n_null=100_000),
    "its own null": lambda files: give_null(files, MV, [0.5] * 22),
    "another image's null": lambda files: give_null(files, MV, findings_of(files)[IDS[1]]["null"]),
    "no null": lambda files: give_null(files, MV, []),
    "no null, as its status says": change_finding(
        MV, verification__status="no null", verification__p=None, verification__q=None, verification__verified=False
    ),
    "a residual of the null": change_null(lambda lines: lines[1].__setitem__(0, 0.0)),
    "an image less in the null": change_null(lambda lines: lines.pop()),
    "an image more in the null": change_null(lambda lines: lines.append([0.9] * 22)),
    "fewer prompts": change_null(lambda lines: lines[0]["p"].pop()),
    "more prompts": change_null(lambda lines: lines[0]["p"].append(1.0)),
    "a null out of order": change_null(lambda lines: lines[1].reverse()),
    "no p-values": change_null(lambda lines: lines.pop(0)),
    "a null of text": put("null.jsonl", b"mine\n"),
    "no null.jsonl": drop("null.jsonl"),
    "doubt": change_finding(MV, verification__doubt="generation: white", verification__verified=False),
    "placement": change_finding(N, verification__top=0.25, comparisons__2__top=8),
    "flip": change_finding(N, verification__flip=True, comparisons__2__flip=True),
    "said to be blurred": change_finding(MV, images="blurred"),
    "said to be blurred, without digests": change_finding(MV, images="blurred", original_sha256={}),
    "said to be left out": change_finding(MV, images="none", original_sha256={}),
    "said to be something else": change_finding(MV, images="partly"),
    "threshold": change_run(settings__labels__thresholds__mv=0.5),
    "order": change_run(settings__labels__order=["MV", "TV", "RV"]),
    "size": change_run(settings__labels__size=16),
    "guards": change_run(settings__labels__guards__near_constant=0.0),
    "mask settings": change_run(settings__labels__mask__difference=3.0),
    "search settings": change_run(settings__evidence__blur=5),
    "alpha": change_run(settings__test__alpha=0.0),
    "format": change_run(format=1),
    "an image is another": put(f"{HERE}/generated_0.png", encode_png(image(77))),
    "an image is another and so is its digest": replace_image(MV, "source_1.png", encode_png(image(77))),
    "two images exchanged": swap(f"{HERE}/source_0.png", f"{HERE}/source_1.png"),
    "residual image": put(f"{HERE}/residual.png", encode_png(image(5))),
    "an image less": drop(f"{HERE}/source_1.png"),
    "a mask less": drop(f"findings/{IDS[3]}/mask.png"),
    "an image more": put(f"{HERE}/source_9.png", encode_png(image(9))),
    "a file more": put("note.txt", b"mine"),
    "a program more": put(f"{HERE}/run.sh", b"#!/bin/sh\n"),
    "a finding under another key": put("findings/7/finding.json", b"{}\n"),
    "no run.json": drop("run.json"),
    "no finding": lambda files: {"run.json": files["run.json"]},
    "images without their finding": drop(MV),
    "two findings exchanged": swap(MV, N),
    "json of another form": lambda files: files | {MV: json.dumps(json.loads(files[MV])).encode()},
    "json cut off": lambda files: files | {MV: files[MV][:-1]},
    "no png": put(f"{HERE}/source_1.png", b"GIF89a" + bytes(100)),
}  # fmt: skip
SEALED_ONLY = {
    "said to be blurred, without digests, urls or residual": also(
        change_finding(
            MV, images="blurred", original_sha256={}, sources__0__url="", sources__1__url=""
        ),
        drop(f"{HERE}/residual.png"),
    ),
}


@pytest.mark.parametrize("what", FORGED)
def test_what_was_changed_and_sealed_again_is_faulty(files, what):
    sealed, head = seal(FORGED[what](files))
    assert judge(sealed, head) == FAULTY


@pytest.mark.parametrize("what", SEALED_ONLY)
def test_what_was_hidden_afterwards_is_sealed_and_not_sound(files, what):
    sealed, head = seal(SEALED_ONLY[what](files))
    assert judge(sealed, head) == UNPROVEN


def test_the_tool_says_what_was_forged(files, tmp_path):
    change = change_finding(N, label__label="MV", verification__label="MV", prompt="Jane Doe")
    sealed, head = seal(change(files))
    code, text = verify(write(tmp_path / "all", sealed, head), "--head", head)
    assert code == FAULTY
    assert "label is 'MV', its distances and thresholds give 'N'" in text
    assert "prompt_id is" in text
    assert "FAULTY" in text


@pytest.mark.slow
def test_every_byte_of_thirty_is_told_and_its_file_named(files, head):
    rng = np.random.default_rng(0)
    names = sorted(files)
    sizes = np.array([len(files[name]) for name in names])
    for at in rng.choice(sizes.sum(), 30, replace=False):
        name = names[int(np.searchsorted(np.cumsum(sizes), at, side="right"))]
        place = int(rng.integers(len(files[name])))
        data = bytearray(files[name])
        data[place] ^= int(rng.integers(1, 256))
        result = check_bundle(files | {name: bytes(data)}, head)
        assert any(name in fault for fault in result.faults), (name, place)


@pytest.mark.slow
def test_no_random_change_is_ever_sound_to_whoever_has_the_head(files, head):
    """Bytes flipped, files cut, deleted, exchanged, added, JSON values replaced; half of them sealed again."""
    rng = np.random.default_rng(1)
    for _ in range(40):
        changed = dict(files)
        for _ in range(int(rng.integers(1, 4))):
            changed = mutate(changed, rng)
        if changed == files:
            continue
        if rng.random() < 0.5:
            changed = seal(changed)[0]
            if changed == files:  # a manifest that was damaged and made again
                continue
        assert judge(changed, head) == FAULTY


def mutate(files, rng):
    path, other = (str(name) for name in rng.choice(sorted(files), 2))
    data = files[path]
    kind = rng.integers(6)
    if kind == 0 and data:
        at = int(rng.integers(len(data)))
        return files | {path: data[:at] + bytes([data[at] ^ 1 << int(rng.integers(8))]) + data[at + 1 :]}  # fmt: skip
    if kind == 1:
        return files | {path: data[: int(rng.integers(len(data) + 1))]}
    if kind == 2 and len(files) > 2:
        return {name: one for name, one in files.items() if name != path}
    if kind == 3:
        return files | {path: files[other], other: data}
    if kind == 4:
        return files | {f"findings/{rng.integers(9)}/{path.rpartition('/')[2]}": data}
    if path.endswith(".json"):
        try:
            return files | {path: line(replace_value(json.loads(data), rng))}
        except ValueError:  # damaged by an earlier change
            return files
    return files


def replace_value(value, rng):
    """JSON with one value in it replaced by something odd."""
    if isinstance(value, dict) and value:
        key = str(rng.choice(sorted(value)))
        return value | {key: replace_value(value[key], rng)}
    if isinstance(value, list) and value:
        at = int(rng.integers(len(value)))
        return [*value[:at], replace_value(value[at], rng), *value[at + 1 :]]
    odd = [None, -1, 2**62, 0.5, "", "../../etc/passwd", "\x1b[2J", [], {}, True, 1e300]
    return odd[int(rng.integers(len(odd)))]


@pytest.mark.slow
def test_no_value_of_any_kind_in_a_findings_json_ends_in_a_traceback(files):
    """Every value of a finding and of run.json in turn, replaced by one of another kind and sealed again."""
    rng = np.random.default_rng(2)
    for path in (MV, TV, "run.json"):
        for _ in range(20):
            changed = replace_value(json.loads(files[path]), rng)
            sealed, head = seal(files | {path: line(changed)})
            check_bundle(sealed, head)  # raises nothing


def test_findings_tell_of_prompts_only_once(files):
    assert set(findings_of(files)) == {IDS[i] for i in (0, 1, 2, 3)}
