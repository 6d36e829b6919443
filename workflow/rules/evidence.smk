# evidence: labels -> what a reader can question and replay: verifier, review page, bundles. Webster 2023, Fig. 5.
#
# INPUTS   of every model all of <results>/labels/{model}/; <results>/dedup/clusters.parquet, cluster_stats.parquet;
#          <results>/inputs/rows/ (addresses); scores of whitebox and blackbox; labels.decisions of the config
# OUTPUTS  in <results>/evidence/
#          of check_copies
#            {model}/verification.parquet     copies that the labels may miss, with p- and q-values
#            {model}/null.parquet             residuals of unrelated pairs that these are counted in
#          of count_verified
#            verified.csv                     how many, by model and label
#          of build_sheet
#            sheets/{model}.png, .csv         copies and other prompts in random order, for a look; what is on it
#          of build_review
#            review/index.html                all candidates on one page; images/ beside it
#          of compare_verdicts
#            <results>/evidence/confirmed.csv   how many labels the verdicts of a look confirm
#          of build_bundle, targets of their own
#            bundles/{model}/{finding}/       one finding (its prompt_id), or all
#            bundles/{model}/{finding}.head   the hash that its manifest ends in
#          of build_attribution, asked for by name
#            {model}/attribution.json         the training images nearest to each generation, with addresses and licences
#          of search_attribution, target attribution, for images that a user has (evidence.attribution.images)
#            attributed.json                  the same of these images; attributed.png: them beside the training images


localrules:
    compare_verdicts,
    count_verified,


rule check_copies:
    input:
        labels="<results>/labels/{model}/labels.parquet",
        images="<results>/labels/{model}/images.zip",
        training="<results>/labels/{model}/training.zip",
        neighbours="<results>/labels/{model}/neighbours.parquet",
        relatives="<results>/labels/{model}/relatives.parquet",
        fetched="<results>/labels/{model}/fetched.parquet",
        clusters="<results>/dedup/clusters.parquet",
        stats="<results>/dedup/cluster_stats.parquet",
        code=code_of("evidence/check_copies"),
    output:
        verification="<results>/evidence/{model}/verification.parquet",
        null="<results>/evidence/{model}/null.parquet",
    log:
        "<results>/logs/evidence/check_copies/{model}.log",
    benchmark:
        "<results>/benchmarks/evidence/check_copies/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(240),
    params:
        **run.pick("evidence", "size search test placeholder"),
        seeds=run.models.seeds,
        guards=config["labels"]["guards"],
    script:
        "../scripts/evidence/check_copies.py"


rule count_verified:
    input:
        verification=run.of_models("<results>/evidence/{model}/verification.parquet"),
        code=code_of("evidence/count_verified"),
    output:
        table="<results>/evidence/verified.csv",
    log:
        "<results>/logs/evidence/count_verified.log",
    benchmark:
        "<results>/benchmarks/evidence/count_verified.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        names=run.models.names(run.models.all),
        alpha=config["evidence"]["test"]["alpha"],
    script:
        "../scripts/evidence/count_verified.py"


rule build_sheet:
    input:
        labels="<results>/labels/{model}/labels.parquet",
        images="<results>/labels/{model}/images.zip",
        training="<results>/labels/{model}/training.zip",
        known_prompts=run.known_prompts,
        code=code_of("evidence/build_sheet"),
    output:
        sheet="<results>/evidence/sheets/{model}.png",
        pairs="<results>/evidence/sheets/{model}.csv",
    log:
        "<results>/logs/evidence/build_sheet/{model}.log",
    benchmark:
        "<results>/benchmarks/evidence/build_sheet/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        **run.pick("evidence.sheet", "n seed columns"),
        **run.pick("privacy", "images only"),
        size=config["labels"]["size"],
    script:
        "../scripts/evidence/build_sheet.py"


rule compare_verdicts:
    input:
        labels=run.of_labels("labels.parquet"),
        verdicts=config["evidence"]["verdicts"] or [],
        code=code_of("evidence/compare_verdicts"),
    output:
        table="<results>/evidence/confirmed.csv",
    log:
        "<results>/logs/evidence/compare_verdicts.log",
    benchmark:
        "<results>/benchmarks/evidence/compare_verdicts.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        models=run.models.all,
        known=list(run.models.sheet.index),
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/evidence/compare_verdicts.py"


rule build_review:
    input:
        labels=run.of_labels("labels.parquet"),
        verification=run.of_models("<results>/evidence/{model}/verification.parquet"),
        images=run.of_labels("images.zip"),
        training=run.of_labels("training.zip"),
        masks=run.of_labels("masks.zip"),
        whitebox=run.scores("whitebox"),
        blackbox=run.scores("blackbox"),
        tokens=run.tokens,
        rows=run.data.rows,
        decisions=run.decisions,
        known_prompts=run.known_prompts,
        parts=[
            workflow.source_path(f"../report/review/page.{kind}")
            for kind in ("html", "css", "js")
        ],
        code=code_of("evidence/build_review"),
    output:
        page="<results>/evidence/review/index.html",
        images=directory("<results>/evidence/review/images"),
    log:
        "<results>/logs/evidence/build_review.log",
    benchmark:
        "<results>/benchmarks/evidence/build_review.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(60),
    params:
        **run.pick("privacy", "images only"),
        names=run.models.names(run.models.all),
        known=run.models.known,
        attacked=run.models.attacked,
        size=config["labels"]["size"],
        alpha=config["evidence"]["test"]["alpha"],
    script:
        "../scripts/evidence/build_review.py"


rule build_bundle:
    input:
        unpack(run.models.loaded_stages),
        labels="<results>/labels/{model}/labels.parquet",
        verification="<results>/evidence/{model}/verification.parquet",
        null="<results>/evidence/{model}/null.parquet",
        fetched="<results>/labels/{model}/fetched.parquet",
        images="<results>/labels/{model}/images.zip",
        training="<results>/labels/{model}/training.zip",
        masks="<results>/labels/{model}/masks.zip",
        rows=run.data.rows,
        known_prompts=run.known_prompts,
        computed=code_of(
            "labels/generate_candidates",
            "labels/label_candidates",
            "evidence/check_copies",
        ),
        code=code_of("evidence/build_bundle"),
    output:
        bundle=directory("<results>/evidence/bundles/{model}/{finding}"),
        head="<results>/evidence/bundles/{model}/{finding}.head",
    log:
        "<results>/logs/evidence/build_bundle/{model}_{finding}.log",
    benchmark:
        "<results>/benchmarks/evidence/build_bundle/{model}_{finding}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        **run.pick("privacy", "images only"),
        model=run.models.loading,
        upscaler=run.models.upscaler,
        settings=run.bundle_settings,
        home=str(workflow.basedir),
    script:
        "../scripts/evidence/build_bundle.py"


rule build_attribution:
    input:
        labels="<results>/labels/{model}/labels.parquet",
        images="<results>/labels/{model}/images.zip",
        training="<results>/labels/{model}/training.zip",
        neighbours="<results>/labels/{model}/neighbours.parquet",
        relatives="<results>/labels/{model}/relatives.parquet",
        fetched="<results>/labels/{model}/fetched.parquet",
        clusters="<results>/dedup/clusters.parquet",
        stats="<results>/dedup/cluster_stats.parquet",
        manifest="<results>/inputs/manifest.tsv",
        rows=run.data.rows,
        known_prompts=run.known_prompts,
        code=code_of("evidence/build_attribution"),
    output:
        attribution="<results>/evidence/{model}/attribution.json",
    log:
        "<results>/logs/evidence/build_attribution/{model}.log",
    benchmark:
        "<results>/benchmarks/evidence/build_attribution/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(240),
    params:
        **run.pick("privacy", "images only"),
        **run.pick("labels", "preset order size mask guards"),
        thresholds=run.thresholds("labels"),
        seeds=run.models.seeds,
        model=run.models.loading,
        nearest=config["evidence"]["attribution"]["nearest"],
    script:
        "../scripts/evidence/build_attribution.py"


rule search_attribution:
    input:
        index=run.data.index,
        clip=run.data.clip_file("open_clip_config.json"),
        clip_weights=run.data.clip_file("open_clip_model.safetensors"),
        clip_files=run.data.clip_listed,
        pairs=run.data.pairs,
        clusters="<results>/dedup/clusters.parquet",
        copies="<results>/dedup/copies.parquet",
        stats="<results>/dedup/cluster_stats.parquet",
        manifest="<results>/inputs/manifest.tsv",
        rows=run.data.rows,
        archives=run.data.archives,
        known_prompts=run.known_prompts,
        code=code_of("evidence/search_attribution"),
    output:
        attribution="<results>/evidence/attributed.json",
        sheet="<results>/evidence/attributed.png",
    log:
        "<results>/logs/evidence/search_attribution.log",
    benchmark:
        "<results>/benchmarks/evidence/search_attribution.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(120),
    params:
        **run.pick("privacy", "images only"),
        **run.pick("labels", "preset order size mask guards neighbours relatives"),
        thresholds=run.thresholds("labels"),
        asked=config["evidence"]["attribution"]["images"],
        state=run.attributed_state,
        nearest=config["evidence"]["attribution"]["nearest"],
        batch=config["labels"]["embed_batch"],
    script:
        "../scripts/evidence/search_attribution.py"
