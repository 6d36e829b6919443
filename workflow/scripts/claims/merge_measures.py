"""Put every number of the study into one table, with what the attacks find in each run."""

from typing import Any

import pandas as pd

from verbatim.claims.detection import detection_measures
from verbatim.io.measures import Measures
from verbatim.io.records import read_table, read_tables, write_table
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        files = [
            *smk.input.measures,
            *smk.input.datasets,
            smk.input.users,
            *smk.input.membership,
            *([smk.input.relative] if smk.input.relative else []),
        ]
        tables = [read_table(path, "run_measures") for path in files]
        draws = (p.resamples, p.confidence, 0)
        for i, (point, seed, defence) in enumerate(p.runs):
            out = Measures(point, int(seed), defence)
            scores = read_table(smk.input.scores[i], "membership_scores")
            generations = read_table(smk.input.generations[i], "mitigation_generations")
            similarities = read_table(smk.input.similarities[i], "similarity_matches")
            if len(generations):
                detection_measures(scores, generations, similarities, p.copy_rmse, draws, out)
            tables.append(out.table)
        measures = pd.concat([table for table in tables if len(table)] or tables[:1])
        write_table(smk.output.measures, "run_measures", measures)
        states = read_tables(smk.input.states, "sweep_state")
        write_table(smk.output.states, "sweep_state", states)
        failed = states[states["status"] == "failed"]
        log.info("%d numbers of %d runs", len(measures), len(p.runs))
        for state in failed.itertuples():
            log.warning("%s, seed %d failed: %s", state.point, state.seed, state.reason)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
