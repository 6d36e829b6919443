"""Put the evidence of one finding, or of all of a model, into a folder with a hash-chained manifest."""

import os
import platform
import shutil
from importlib.metadata import version
from itertools import chain
from pathlib import Path

from verbatim.evidence.bundle import (
    Archives,
    bundle_files,
    choose_findings,
    finding_files,
    rows_compared,
)
from verbatim.evidence.manifest import NAME, chain_files
from verbatim.images import ImageArchive, seeds_of_prompts
from verbatim.records import find_urls, read_table
from verbatim.runtime import code_state, progress, script, weights_digest, write_text


def main(smk):
    with script(smk) as log:
        p, folder = smk.params, Path(smk.output.bundle)
        kinds = ("labels", "verification", "neighbours", "relatives", "fetched")
        labels, verification, *others = (read_table(smk.input.get(kind), kind) for kind in kinds)
        chosen = choose_findings(labels, verification, smk.wildcards.finding)
        compared = rows_compared(chosen, *others)
        shown = [*chosen["source_row"], *verification["source_row"], *chain(*compared.values())]
        archives = Archives(
            *(ImageArchive(smk.input.get(name)) for name in ("images", "training", "masks")),
            compared,
            others[2].set_index("row")["caption"].to_dict(),
            find_urls(smk.input.rows, shown),
        )  # fmt: skip
        seeds = p.seeds or seeds_of_prompts(archives.images.names())  # a closed system's own
        run = {
            "model": dict(p.model), "weights": weights_digest(smk), "settings": p.settings,
            "code": code_state([*smk.input.computed, *smk.input.code], p.home),
            "versions": {name: version(name) for name in ("numpy", "pillow")}
            | {"python": platform.python_version()},
        }  # fmt: skip
        of_prompt = verification.set_index("prompt_id").to_dict("index")
        sizes = {stage: p.settings[stage]["size"] for stage in ("labels", "evidence")}
        findings = (
            finding_files(
                label, of_prompt[label["prompt_id"]], archives, seeds, sizes,
                p.settings["evidence"]["refine"],
                p.pictures if not p.only or label["prompt_id"] in p.only else "full",
            )
            for label in progress(chosen.to_dict("records"), "findings", len(chosen))
        )  # fmt: skip
        files = list(bundle_files(run, findings))
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        for path, data in files:
            (part / path).parent.mkdir(parents=True, exist_ok=True)
            (part / path).write_bytes(data)
        manifest, head = chain_files(files)
        (part / NAME).write_text(manifest, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
        write_text(smk.output.head, head + "\n")
        log.info(
            "%d findings, %d files; keep the head elsewhere: %s", len(chosen), len(files), head
        )


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
