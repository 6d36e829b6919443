"""What the house's rules are read off: its stages and exceptions, imports of files, texts of rules."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC, SCRIPTS, RULES = (ROOT / "workflow" / name for name in ("src/verbatim", "scripts", "rules"))
# the copying study; a stage of it may also import the attack's stages
STUDY = ["sweep", "mitigation", "similarity", "membership", "claims"]
STAGES = [
    "world",
    "inputs",
    "dedup",
    "whitebox",
    "blackbox",
    "detectors",
    "postfilter",
    "labels",
    "tables",
    "figures",
    "evidence",
    *STUDY,
    "audit",
    "guard",
    "release",
]
SHARED = {
    "config", "io", "metrics", "models",
}  # fmt: skip
# file -> the other stage's module that it may import, and why
EXCEPTIONS = {
    # which rows are relatives of a row is what dedup's pairs say
    "scripts/labels/select_images.py": {"verbatim.dedup.relatives"},
    # a run is attacked behind the defence that its images were generated behind
    "scripts/membership/score_point.py": {"verbatim.mitigation.defences"},
    # the captions of a point's images are what its training read, not only the first of each
    "scripts/similarity/count_dataset.py": {"verbatim.sweep.pool"},
    # images behind urls, row by row, broken ones recorded
    "scripts/labels/fetch_images.py": {"verbatim.inputs.url_cache"},
    "scripts/labels/fetch_urls.py": {
        "verbatim.inputs.archives",
        "verbatim.inputs.download",
        "verbatim.inputs.fetching",
        "verbatim.inputs.url_cache",
    },
    # the audit is the attack from the other end: what a match, its mask, its placement, its null and a caption's
    # score are has one implementation
    "src/verbatim/audit/comparison.py": {
        "verbatim.evidence.matching",
        "verbatim.evidence.null",
        "verbatim.labels.masks",
    },
    "src/verbatim/audit/nearest.py": {
        "verbatim.evidence.matching",
        "verbatim.evidence.null",
        "verbatim.evidence.pairing",
        "verbatim.evidence.placements",
    },
    "src/verbatim/audit/related_images.py": {"verbatim.labels.masks"},
    "src/verbatim/audit/given_back.py": {
        "verbatim.evidence.matching",
        "verbatim.evidence.placements",
        "verbatim.evidence.rules",
        "verbatim.labels.fetched_images",
        "verbatim.labels.label",
        "verbatim.labels.masks",
    },
    "src/verbatim/audit/audit_panels.py": {"verbatim.evidence.placements"},
    "scripts/audit/compare_audit.py": {
        "verbatim.evidence.matching",
        "verbatim.evidence.placements",
        "verbatim.labels.masks",
    },
    "scripts/audit/score_audit.py": {"verbatim.whitebox.dcs"},
    "scripts/audit/denoise_words.py": {"verbatim.detectors.token_attribution"},
    # a generation is judged alone as the labels judge it, with the relatives that dedup's pairs give
    "src/verbatim/evidence/attribution.py": {
        "verbatim.labels.checking",
        "verbatim.labels.fetched_images",
    },
    "scripts/evidence/build_attribution.py": {
        "verbatim.labels.checking",
        "verbatim.labels.fetched_images",
    },
    "scripts/evidence/search_attribution.py": {
        "verbatim.dedup.relatives",
        "verbatim.labels.checking",
        "verbatim.labels.fetched_images",
    },
    # a search for triggers has the white-box attack's score as its energy, and what it finds is labelled as the labels do
    "src/verbatim/detectors/trigger_energy.py": {"verbatim.whitebox.dcs"},
    "src/verbatim/detectors/trigger_labels.py": {
        "verbatim.labels.fetched_images",
        "verbatim.labels.label",
    },
    "scripts/detectors/label_triggered.py": {"verbatim.labels.checking"},
    # every figure has one style
    "src/verbatim/detectors/trigger_sheet.py": {"verbatim.figures.style"},
    "scripts/detectors/plot_triggered.py": {"verbatim.figures.style"},
    # the guard puts parts of the other stages one behind the other: defences, the labels' check, the verifier
    "src/verbatim/guard/regeneration.py": {
        "verbatim.mitigation.defences",
        "verbatim.mitigation.generation",
    },
    "src/verbatim/guard/outputs.py": {
        "verbatim.evidence.matching",
        "verbatim.labels.checking",
    },
    "scripts/guard/label_guarded.py": {
        "verbatim.dedup.relatives",
        "verbatim.evidence.matching",
        "verbatim.evidence.placements",
        "verbatim.labels.checking",
        "verbatim.labels.fetched_images",
    },
    "scripts/guard/plot_guard.py": {
        "verbatim.evidence.contact_sheet",
        "verbatim.labels.checking",
    },
    # one Frechet distance, and one way of an image into a latent
    "src/verbatim/mitigation/outcomes_checked.py": {"verbatim.similarity.quality"},
    "scripts/mitigation/train_embeddings.py": {"verbatim.membership.losses"},
    # a bundle has one form, so that one program checks it
    "scripts/audit/build_findings.py": {
        "verbatim.evidence.bundle_null",
        "verbatim.evidence.bundle",
        "verbatim.evidence.bundle_manifest",
        "verbatim.evidence.rules",
    },
}
# the copying study stands on the attacks: its stages may import these, and no stage imports one of the study's
STUDY_IMPORTS = {
    "world", "whitebox", "blackbox", "detectors", "postfilter", "labels", "tables", "figures",
}  # fmt: skip
TORCH = {"torch", "diffusers", "transformers", "open_clip", "safetensors"}
LIGHT = {
    "build_checkpoints",  # rewrites weights
    "check_clip_files",
    "check_model",
    "check_upscaler",
    "search_pairs",  # asks for dedup.gpu, as the search of an index does
}  # networks without numbers, though their modules can load them too
LOCAL = {
    "all", "asked", "attacks", "attribution", "audit", "guard", "labels", "evaluation", "mitigations", "prompt_sets", "release", "release_results",
    "templates", "study", "triggers",
}  # fmt: skip
# rules of a stage may be spread over several files, a part of it each
PARTS = {
    "world_models": "world", "world_copies": "world", "labels_images": "labels", "tables_truth": "tables", "tables_sets": "tables",
    "sweep_images": "sweep", "mitigation_attacked": "mitigation", "tables_mitigations": "tables",
    "detectors_triggers": "detectors", "tables_triggers": "tables",
}  # fmt: skip


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


@cache
def modules_of(file: Path) -> list[str]:
    """Every module that a file imports, also inside functions."""
    found = []
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports by full name only"
            found += [
                f"{node.module}.{alias.name}" if node.module == "verbatim" else str(node.module)
                for alias in node.names
            ]
    return sorted(set(found))


def name(file: Path) -> str:
    return str(file.relative_to(ROOT / "workflow"))


LIBRARY, SCRIPT_FILES = sorted(SRC.rglob("*.py")), sorted(SCRIPTS.rglob("*.py"))


def stage_of(file: Path) -> str:
    folder = file.relative_to(SRC if file.is_relative_to(SRC) else SCRIPTS).parts[0]
    return folder if folder in STAGES else ""


def may_import(file: Path) -> set[str]:
    """Packages of the library that a file may import."""
    allowed = SHARED | {stage_of(file)}
    if stage_of(file) in STUDY:
        allowed |= STUDY_IMPORTS
    return allowed | {"runtime"} if file.is_relative_to(SCRIPTS) else allowed


def is_unsafe(node: ast.AST) -> bool:
    """Whether a piece of code unpickles, or lets code from elsewhere run."""
    if isinstance(node, ast.Attribute):
        return ast.unparse(node) == "torch.load"
    if isinstance(node, ast.keyword):
        pickled = node.arg == "allow_pickle" and ast.unparse(node.value) != "False"
        return pickled or node.arg == "trust_remote_code"
    return False


def rules() -> dict[str, tuple[str, str]]:
    """Rule -> (its file's stage, its text)."""
    found = {}
    for file in [*sorted(RULES.glob("*.smk")), ROOT / "Snakefile"]:
        parts = re.split(r"^rule (\w+):\n", file.read_text("utf-8"), flags=re.M)
        for rule, text in zip(parts[1::2], parts[2::2], strict=True):
            assert rule not in found
            found[rule] = (PARTS.get(file.stem, file.stem), re.split(r"^\S", text, flags=re.M)[0])
    return found


ALL_RULES = rules()
WORKING = {rule: one for rule, one in ALL_RULES.items() if rule not in LOCAL}


def directive(text: str, word: str) -> str:
    match = re.search(rf"^    {word}:(.*?)(?=^    \w|\Z)", text, flags=re.M | re.S)
    return re.sub(r"^ *#.*\n?", "", match[1], flags=re.M) if match else ""


def wildcards_of_outputs(text: str) -> set[str]:
    """Wildcards of a rule's outputs; names that an `expand` fills in are none."""
    outputs = re.sub(r"{{(\w+)}}", r"", directive(text, "output"))
    outputs = re.sub(r"\.of_\w+\([^)]*\)", "", outputs)  # a path of each shard, no wildcard
    filled = set(re.findall(r"\bfor (\w+) in", outputs)) | set(re.findall(r"(\w+)=", outputs))
    return set(re.findall(r"{(\w+)}", outputs)) - filled
