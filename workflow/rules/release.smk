# release: a finished run -> a folder to cite, to check and to rerun. Workflow Run RO-Crate, profile Provenance Run Crate.
#
# INPUTS   what `all` ends with, and the targets of release.also; Snakemake's records of the jobs; the checkout's own files;
#          of <results>/release/ report.html (snakemake --report) and sbom.cdx.json (make sbom), where they are there
# OUTPUTS  in <results>/release/
#          of build_crate, target of its own
#            crate/                           workflow, config, lock, results, and ro-crate-metadata.json, which describes them


localrules:
    build_crate,


# What it tells of the jobs is no input, so `make release` forces it. A local rule: it reads Snakemake's records.
rule build_crate:
    input:
        targets=released.targets,
        report=released.beside("report.html"),
        sbom=released.beside("sbom.cdx.json"),
        known_prompts=run.known_prompts,
        code=code_of("release/build_crate"),
    output:
        crate=directory("<results>/release/crate"),
    log:
        "<results>/logs/release/build_crate.log",
    benchmark:
        "<results>/benchmarks/release/build_crate.tsv"
    conda:
        "../../envs/release.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(240),
    params:
        **run.pick("privacy", "images only"),
        **run.pick("release", "agent digest_mb"),
        licence=released.licence,
        models=released.sheet,
        settings=released.settings,
        home=str(workflow.basedir),
        records=".snakemake/metadata",
    script:
        "../scripts/release/build_crate.py"
