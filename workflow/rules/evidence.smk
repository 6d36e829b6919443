# evidence: labels -> what a reader can question and replay: verifier, review page, bundles. Webster 2023, Fig. 5.
#
# INPUTS   of every model all of <results>/labels/{model}/; <results>/dedup/clusters.parquet, cluster_stats.parquet;
#          <results>/inputs/rows/ (addresses); scores of whitebox and blackbox; labels.decisions of the config
# OUTPUTS  <results>/evidence/{model}/verification.parquet   copies that the labels may miss, with p- and q-values
#          <results>/evidence/verified.csv                   how many, by model and label
#          <results>/evidence/review/index.html              all candidates on one page; images/ beside it
#          <results>/evidence/bundles/{model}/{finding}/     one finding (its prompt_id), or all (targets of their own);
#                                                            {finding}.head: the hash that its manifest ends in


localrules:
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
        seeds=label_seeds,
        guards=config["labels"]["guards"],
        size=config["evidence"]["size"],
        search=config["evidence"]["search"],
        test=config["evidence"]["test"],
        placeholder=config["evidence"]["placeholder"],
    script:
        "../scripts/evidence/check_copies.py"


rule count_verified:
    input:
        verification=[
            f"<results>/evidence/{model}/verification.parquet"
            for model in MODELS.index
        ],
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
        names=names_of(MODELS.index),
        alpha=config["evidence"]["test"]["alpha"],
    script:
        "../scripts/evidence/count_verified.py"


rule build_review:
    input:
        labels=labels_of_models,
        verification=[
            f"<results>/evidence/{model}/verification.parquet"
            for model in MODELS.index
        ],
        images=[f"<results>/labels/{model}/images.zip" for model in MODELS.index],
        training=[f"<results>/labels/{model}/training.zip" for model in MODELS.index],
        masks=[f"<results>/labels/{model}/masks.zip" for model in MODELS.index],
        whitebox=of_attacked("<results>/whitebox/{model}/scores.parquet"),
        blackbox=of_attacked("<results>/blackbox/{model}/scores.parquet"),
        rows=expand("<results>/inputs/rows/{shard}.parquet", shard=input_shards()),
        decisions=config["labels"]["decisions"] or [],
        known_prompts=known_prompts(),
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
        names=names_of(MODELS.index),
        known=list(ALL_MODELS.index),
        attacked=attacked_models(),
        size=config["labels"]["size"],
        images=config["privacy"]["images"],
        only=config["privacy"]["only"],
        alpha=config["evidence"]["test"]["alpha"],
    script:
        "../scripts/evidence/build_review.py"


rule build_bundle:
    input:
        labels="<results>/labels/{model}/labels.parquet",
        verification="<results>/evidence/{model}/verification.parquet",
        fetched="<results>/labels/{model}/fetched.parquet",
        images="<results>/labels/{model}/images.zip",
        training="<results>/labels/{model}/training.zip",
        masks="<results>/labels/{model}/masks.zip",
        rows=expand("<results>/inputs/rows/{shard}.parquet", shard=input_shards()),
        known_prompts=known_prompts(),
        model=model_folder,
        weights=model_weights,
        checked=checked_model,
        upscaler=upscaler_folder,
        upscaler_weights=upscaler_weights,
        upscaler_checked=checked_upscaler,
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
        model=loading_row,
        upscaler=upscaler_settings,
        settings=bundle_settings,
        home=str(workflow.basedir),
        images=config["privacy"]["images"],
        only=config["privacy"]["only"],
    script:
        "../scripts/evidence/build_bundle.py"
