"""Draw the same prompts behind every defence, and what adversarial embeddings bring back, beside the prompts' own images."""

import contextlib
from typing import Any

from verbatim.figures.style import save_figure
from verbatim.io.images import ImageArchive
from verbatim.io.privacy import read_privacy
from verbatim.io.records import read_table
from verbatim.io.seals import read_array
from verbatim.mitigation.mitigation_sheet import list_lines, plot_lines
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log, contextlib.ExitStack() as stack:
        p = smk.params
        privacy = read_privacy(p.images, p.only, [smk.input.prompts])
        prompts = read_table(smk.input.prompts, "mitigated")
        archives = {
            name: stack.enter_context(ImageArchive(path))
            for name, path in zip(p.defences, smk.input.images, strict=True)
        }
        made = {
            name: read_table(path, "mitigation_attacked")
            for name, path in zip(p.defences, smk.input.generations, strict=True)
        }
        lines = list_lines(prompts, made, archives, read_array(smk.input.own), privacy, p.shown)
        save_figure(plot_lines(lines, list(p.defences)), smk.output.png, p.dpi)
        log.info("%d lines of %d defences", len(lines), len(p.defences))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
