"""Put a finished run into a folder that describes itself: workflow, config, jobs, results (Workflow Run RO-Crate)."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from verbatim.io.atomic import new_folder
from verbatim.io.privacy import read_privacy
from verbatim.release.citation import read_citation
from verbatim.release.crate import LOCK, SOFTWARE, Release, Told
from verbatim.release.provenance import CONFIG, MODELS, add_run
from verbatim.release.release_contents import (
    Disclosure,
    Places,
    digest,
    list_workflow,
    select_handed_on,
    write_sums,
)
from verbatim.release.snakemake_records import read_jobs, select_upstream
from verbatim.release.software import software_table
from verbatim.runtime import code_state, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p, home = smk.params, Path(smk.params.home)
        privacy = read_privacy(p.images, p.only, smk.input.known_prompts)
        places = Places(home, Path(p.settings["results"]).absolute())
        jobs = select_upstream(read_jobs(Path(p.records)), smk.input.targets)
        state, targets = code_state([], home), sorted(smk.input.targets)
        release = Release(
            places,
            Disclosure(privacy.level != "full", p.digest_mb * 1_000_000),
            Told(
                identity=" ".join(digest(Path(one)) for one in targets), citation=read_citation(home / "CITATION.cff"),
                commit=state["git_commit"], changed=state["git_changed"], snakemake=version("snakemake"),
                python=platform.python_version(), licence=p.licence, agent=p.agent, privacy=privacy.level,
            ),
        )  # fmt: skip
        for name in list_workflow(home):
            if name != "Snakefile":
                release.add_file(home / name, name)
        for path in select_handed_on(jobs, targets):
            release.add_output(Path(path))
        for path in [*smk.input.report, *smk.input.sbom]:
            release.add_file(Path(path), Path(path).name)
        release.add_text(CONFIG, yaml.safe_dump(p.settings, sort_keys=False, allow_unicode=True))
        release.add_text(MODELS, (home / p.models).read_text("utf-8"))
        release.add_text(SOFTWARE, software_table((home / LOCK).read_text("utf-8")))
        add_run(release, jobs, targets)
        release.describe()
        with new_folder(smk.output.crate) as part:
            release.crate.write(part)
            n_files, size = write_sums(part)
        log.info(
            "%d jobs of %d rules; %d entities, %d files, %.1f MB", len(jobs), len({job.rule for job in jobs}),
            len(list(release.crate.get_entities())), n_files, size / 1e6,
        )  # fmt: skip


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
