"""Choose the guard's threshold on half of the prompts never trained on, and list which generations it would stop."""

from typing import Any

from verbatim.guard.alarms import EVALUATION, find_alarms
from verbatim.io.records import read_table, write_table
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        prompts = read_table(smk.input.prompts, "prompts", ["prompt_id", "row"])
        scores = read_table(smk.input.scores, "whitebox_seeds")
        scores = scores[scores["seed"].isin(p.seeds)]
        if scores.empty:
            raise ValueError(
                f"config: whitebox.seeds and labels.seeds have no seed in common ({list(p.seeds)} of the labels): a generation "
                "is judged by the score of its own noise"
            )
        table = find_alarms(prompts, scores, p.score, p.false_alarms, p.seed)
        write_table(smk.output.alarms, "guard_alarms", table)
        told = table[table["part"] == EVALUATION]
        log.info(
            "threshold %.5g of %s; %d of %d generations of other prompts never trained on alarm, %d of %d in all",
            table["threshold"].iloc[0], p.score, told["alarm"].sum(), len(told), table["alarm"].sum(), len(table),
        )  # fmt: skip


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
