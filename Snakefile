"""verbatim: which training images does a diffusion model give back, and how do you know?

Results are named <results>/<stage>/<model or table>; the stage word is the same for the config block,
the rule file, the script folder, the package folder and the test folder.
"""

from snakemake.utils import min_version

min_version("9.19")


configfile: "config/config.yaml"


pathvars:
    results=config["results"],


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/study.smk"
include: "workflow/rules/world.smk"
include: "workflow/rules/world_models.smk"
include: "workflow/rules/world_copies.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/dedup.smk"
include: "workflow/rules/whitebox.smk"
include: "workflow/rules/blackbox.smk"
include: "workflow/rules/detectors.smk"
include: "workflow/rules/detectors_triggers.smk"
include: "workflow/rules/postfilter.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/labels_images.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/tables_truth.smk"
include: "workflow/rules/tables_sets.smk"
include: "workflow/rules/tables_triggers.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/evidence.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/sweep_images.smk"
include: "workflow/rules/sweep.smk"
include: "workflow/rules/mitigation.smk"
include: "workflow/rules/similarity.smk"
include: "workflow/rules/membership.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/guard.smk"
include: "workflow/rules/tables_mitigations.smk"
include: "workflow/rules/mitigation_attacked.smk"
include: "workflow/rules/release.smk"


localrules:
    all,
    asked,
    attacks,
    attribution,
    audit,
    evaluation,
    guard,
    labels,
    mitigations,
    prompt_sets,
    release,
    release_results,
    study,
    templates,
    triggers,


# one run at a time in a results folder; what killed jobs left there goes when the run ends
onstart:
    hold_results()
    warm_python.load_libraries(
        workflow, code.imported_packages, snakemake.benchmark
    )


onsuccess:
    atomic.remove_stale(RESULTS)


onerror:
    unfinished.mark_unfinished(workflow.dag, workflow.persistence)
    atomic.remove_stale(RESULTS)


rule all:
    default_target: True
    input:
        run.targets,


rule audit:
    input:
        audited.targets,


rule asked:
    input:
        "<results>/table1.csv",
        "<results>/tables/asked.csv",


rule attribution:
    input:
        "<results>/evidence/attributed.json",


rule guard:
    input:
        guarded.targets,


rule mitigations:
    input:
        mitigated.targets,


rule triggers:
    input:
        triggers.targets,


rule evaluation:
    input:
        run.tables,


rule prompt_sets:
    input:
        sets.targets,


rule release_results:
    input:
        released.targets,


rule release:
    input:
        "<results>/release/crate",


rule attacks:
    input:
        run.scores("postfilter"),


rule labels:
    input:
        run.of_labels("labels.parquet"),


rule templates:
    input:
        run.data.of_shards("<results>/dedup/templates/{shard}.parquet"),


rule study:
    input:
        "<results>/claims/claims.csv",
