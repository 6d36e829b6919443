"""Put what was given back into a bundle with a hash-chained manifest, as build_bundle does for a finding of the attack."""

import platform
from importlib.metadata import version
from typing import Any

from verbatim.audit.given_back import choose_findings, describe_findings, read_settings
from verbatim.evidence.bundle import Archives, finding_files, residuals_of
from verbatim.evidence.bundle_manifest import NAME, canonical, chain_files
from verbatim.evidence.bundle_null import NULL, null_file, read_null
from verbatim.evidence.rules import FORMAT, read_rules
from verbatim.io.atomic import new_folder
from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive, write_archive
from verbatim.io.privacy import read_privacy
from verbatim.io.records import read_table
from verbatim.runtime import code_state, progress, scratch, script, weights_digest, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        tables = ("images", "pairs", "tests", "verdicts")
        images, pairs, tests, verdicts = (
            read_table(smk.input.get(name), f"audit_{name}") for name in tables
        )
        prompts = read_table(smk.input.prompts, "selection")
        privacy = read_privacy(p.images, p.only, [smk.input.images])
        run = {
            "format": FORMAT, "model": dict(p.model), "weights": weights_digest(smk), "settings": p.settings,
            "code": code_state([*smk.input.computed, *smk.input.code], p.home),
            "versions": {name: version(name) for name in ("numpy", "pillow")}
            | {"python": platform.python_version()},
        }  # fmt: skip
        rules = read_rules(run)
        chosen = choose_findings(images, verdicts, tests, prompts)
        by_image = images.set_index("image")
        captions: Any = by_image["caption"].to_dict()
        urls: Any = by_image["url"].to_dict()
        residuals = residuals_of(read_table(smk.input.null, "audit_null"))
        null = null_file(tests["p"], residuals.values())
        files = [("run.json", (canonical(run) + "\n").encode()), (NULL, null)]
        with (
            ImageArchive(smk.input.archive) as archive,
            Images(*smk.input.generations) as generations,
            scratch(smk.output.bundle) as folder,
        ):
            described = describe_findings(
                progress(chosen.to_dict("records"), "findings", len(chosen)), pairs, generations,
                archive, captions, read_settings(rules, p.settings["labels"]),
            )  # fmt: skip
            masks = [(label["mask_file"], mask) for label, _, mask in described if mask is not None]
            write_archive(folder / "masks.zip", masks)
            with ImageArchive(folder / "masks.zip") as drawn:
                archives = Archives(
                    generations, archive, drawn, captions, urls, residuals, read_null(null, rules)
                )
                for label, found, _ in described:
                    level = privacy.level_of(by_image.loc[label["row"], "prompt_id"])
                    files += finding_files(label, found, archives, rules, level)
        with new_folder(smk.output.bundle) as part:
            for path, data in files:
                (part / path).parent.mkdir(parents=True, exist_ok=True)
                (part / path).write_bytes(data)
            manifest, head = chain_files(iter(files))
            (part / NAME).write_text(manifest, encoding="utf-8")
        write_text(smk.output.head, head + "\n")
        log.info("%d findings; keep the head elsewhere: %s", len(described), head)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
