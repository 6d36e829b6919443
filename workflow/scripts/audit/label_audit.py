"""Say of each image whether it was given back, whole or in part, and count by owner."""

from typing import Any

from verbatim.audit.judging import VerdictSettings, judge_images
from verbatim.audit.owners import OwnerSettings, count_owners
from verbatim.io.records import read_table, write_table
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        images = read_table(smk.input.images, "audit_images")
        pairs = read_table(smk.input.pairs, "audit_pairs")
        tests = read_table(smk.input.tests, "audit_tests")
        settings = VerdictSettings(
            p.thresholds["mv"], p.thresholds["tv"], p.part, p.alpha, p.most_p, p.confidence
        )
        verdicts = judge_images(images, pairs, tests, settings)
        scores = None  # of a closed system
        if smk.input.scores:
            table = read_table(smk.input.scores, "whitebox_seeds").drop(columns="seed")
            scores = table.groupby("prompt_id").mean()
        owners = count_owners(
            images, verdicts, scores,
            OwnerSettings(p.scores, p.least_captions, p.least_controls, p.confidence),
        )  # fmt: skip
        write_table(smk.output.verdicts, "audit_verdicts", verdicts)
        write_table(smk.output.owners, "audit_owners", owners)
        log.info("%s", verdicts["verdict"].value_counts().to_dict())


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
