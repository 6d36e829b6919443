"""A sheet of labelled copies and other prompts in random order, for a look that does not know the labels."""

from typing import Any

from verbatim.evidence.contact_sheet import draw_sheet, sample_pairs
from verbatim.io.atomic import new_file
from verbatim.io.images import ImageArchive, encode_png, generation_name, row_name
from verbatim.io.privacy import read_privacy
from verbatim.io.records import read_table
from verbatim.io.spreadsheets import csv_text
from verbatim.runtime import script, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        privacy = read_privacy(p.images, p.only, smk.input.known_prompts)
        pairs = sample_pairs(read_table(smk.input.labels, "labels"), p.n, p.seed)
        with ImageArchive(smk.input.images) as made, ImageArchive(smk.input.training) as training:
            shown = [
                (
                    privacy.image(key, made.read(generation_name(key, seed))),
                    privacy.image(key, training.read(row_name(row))),
                )
                for key, seed, row in zip(
                    pairs["prompt_id"], pairs["seed"], pairs["row"], strict=True
                )
            ]
        with new_file(smk.output.sheet) as temporary:
            temporary.write_bytes(encode_png(draw_sheet(shown, p.size, p.columns)))
        pairs.insert(0, "model", smk.wildcards.model)
        write_text(smk.output.pairs, csv_text(pairs.assign(verdict="")))
        log.info("%d pairs", len(pairs))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
