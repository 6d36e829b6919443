"""Put the evidence of one finding, or of all of a model, into a folder with a hash-chained manifest."""

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from verbatim.evidence.bundle import (
    Archives,
    choose_findings,
    finding_files,
    residuals_of,
    rows_shown,
)
from verbatim.evidence.bundle_manifest import NAME, canonical, chain_files
from verbatim.evidence.bundle_null import NULL, null_file, read_null
from verbatim.evidence.rules import FORMAT, read_rules
from verbatim.io.atomic import new_folder
from verbatim.io.images import ImageArchive
from verbatim.io.privacy import read_privacy
from verbatim.io.records import find_urls, read_table
from verbatim.runtime import code_state, progress, script, weights_digest, write_text


def write_files(part: Path, files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Write files under a folder, and hand them on."""
    for path, data in files:
        (part / path).parent.mkdir(parents=True, exist_ok=True)
        (part / path).write_bytes(data)
        yield path, data


def main(smk: Any) -> None:
    with script(smk) as log:
        p, folder = smk.params, Path(smk.output.bundle)
        kinds = ("labels", "verification", "fetched")
        labels, verification, fetched = (read_table(smk.input.get(kind), kind) for kind in kinds)
        privacy = read_privacy(p.images, p.only, smk.input.known_prompts)
        chosen = choose_findings(labels, verification, smk.wildcards.finding)
        shown = verification[verification["prompt_id"].isin(chosen["prompt_id"])]
        rows = rows_shown(chosen, shown)
        run = {
            "format": FORMAT, "model": dict(p.model), "weights": weights_digest(smk),
            "settings": p.settings, "code": code_state([*smk.input.computed, *smk.input.code], p.home),
            "versions": {name: version(name) for name in ("numpy", "pillow")}
            | {"python": platform.python_version()},
        }  # fmt: skip
        rules = read_rules(run)
        residuals = residuals_of(read_table(smk.input.null, "null"))
        null = null_file(verification["p"], residuals.values())
        archives = Archives(
            ImageArchive(smk.input.images), ImageArchive(smk.input.training), ImageArchive(smk.input.masks),
            dict(zip(fetched["row"].tolist(), fetched["caption"].tolist(), strict=True)),
            find_urls(smk.input.rows, rows), residuals, read_null(null, rules),
        )  # fmt: skip
        of_prompt = {one["prompt_id"]: one for one in verification.to_dict("records")}

        def files() -> Iterator[tuple[str, bytes]]:
            yield "run.json", (canonical(run) + "\n").encode()
            yield NULL, null
            for label in progress(chosen.to_dict("records"), "findings", len(chosen)):
                key = label["prompt_id"]
                level = privacy.level_of(key)
                yield from finding_files(label, of_prompt[key], archives, rules, level)

        with new_folder(folder) as part:
            manifest, head = chain_files(write_files(part, files()))
            (part / NAME).write_text(manifest, encoding="utf-8")
        write_text(smk.output.head, head + "\n")
        log.info("%d findings; keep the head elsewhere: %s", len(chosen), head)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
