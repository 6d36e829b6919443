# audit: a folder of images -> which of them a model gives back, with error rates. Webster 2023, section 4.
#
# INPUTS   a folder of images with captions (audit.images), or <results>/world/sample; a model of the sheet, or any other
#          (audit.model)
# OUTPUTS  in <results>/audit/
#          of search_captions, with audit.captions: nearest
#            captions.jsonl                     captions of the nearest training images, for images without one
#          of build_audit
#            images.parquet                   the images, and why some are not tested; images.zip, prompts.parquet
#          of score_audit
#            scores.parquet                   first-step scores of the captions; scores.cost.parquet
#          of generate_audit
#            shards/{shard}.images.parquet    which archive holds a caption's generations; .cost.parquet
#            kept/                            these generations, in parts that are found again by caption
#          of fetch_audit, for a closed system behind HTTP, which is asked instead of scored and run
#            asked.images.parquet             which archive holds a caption's generations; asked.cost.parquet
#            asked.zip                        these generations
#            answers/                         every answer that was paid for, and the ledger of all requests
#          of compare_audit
#            pairs.parquet                    each image with each generation of its captions; tests.parquet: p-values
#          of label_audit
#            verdicts.parquet                 what is said of each image; owners.parquet: by owner
#          of denoise_words, with audit.tokens, of a model whose network is here
#            tokens.parquet                   which words trigger what was given back
#          of build_report
#            report.html                      the same to read; verdicts.csv, owners.csv, verdicts.json
#          of build_findings
#            bundle/                          evidence of what was given back, to replay; bundle.head: its last hash
#          of check_audit
#            passed.txt                       that no more was given back than audit.fail_above allows


localrules:
    check_audit,


rule search_captions:
    input:
        index=run.data.index,
        rows=run.data.rows,
        clip=run.data.clip_file("open_clip_config.json"),
        clip_weights=run.data.clip_file("open_clip_model.safetensors"),
        clip_files=run.data.clip_listed,
        code=code_of("audit/search_captions"),
    output:
        captions="<results>/audit/captions.jsonl",
    log:
        "<results>/logs/audit/search_captions.log",
    benchmark:
        "<results>/benchmarks/audit/search_captions.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(240),
    params:
        folder=config["audit"]["images"],
        state=audited.state,
        batch=config["labels"]["embed_batch"],
    script:
        "../scripts/audit/search_captions.py"


rule build_audit:
    input:
        sample=audited.sample,
        captions=audited.captions,
        reference=config["audit"]["reference"],
        code=code_of("audit/build_audit"),
    output:
        images="<results>/audit/images.parquet",
        archive="<results>/audit/images.zip",
        prompts="<results>/audit/prompts.parquet",
    log:
        "<results>/logs/audit/build_audit.log",
    benchmark:
        "<results>/benchmarks/audit/build_audit.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(120),
    params:
        **run.pick(
            "audit", "least_side stored_side duplicate least_prompts generations"
        ),
        folder=config["audit"]["images"],
        state=audited.state,
        rows_a_generation=audited.rows_a_generation,
        seeds=config["whitebox"]["seeds"],
        size=config["labels"]["size"],
        thresholds=run.thresholds("labels"),
        guards=config["labels"]["guards"],
    message:
        audited.planned_cost
    script:
        "../scripts/audit/build_audit.py"


rule score_audit:
    input:
        unpack(audited.loaded),
        prompts="<results>/audit/prompts.parquet",
        code=code_of("audit/score_audit"),
    output:
        scores="<results>/audit/scores.parquet",
        cost="<results>/audit/scores.cost.parquet",
    log:
        "<results>/logs/audit/score_audit.log",
    benchmark:
        "<results>/benchmarks/audit/score_audit.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(480),
    params:
        **run.pick("whitebox", "guidance seeds batch prompts_a_part"),
        model=audited.loading,
        kept=audited.kept,
    script:
        "../scripts/audit/score_audit.py"


rule generate_audit:
    input:
        unpack(audited.loaded_stages),
        prompts="<results>/audit/prompts.parquet",
        cost="<results>/audit/scores.cost.parquet",
        code=code_of("audit/generate_audit"),
    output:
        images="<results>/audit/shards/{shard}.images.parquet",
        cost="<results>/audit/shards/{shard}.cost.parquet",
    log:
        "<results>/logs/audit/generate_audit/{shard}.log",
    benchmark:
        "<results>/benchmarks/audit/generate_audit/{shard}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(1440),
    params:
        **run.pick("audit", "prompts_a_shard prompts_a_part"),
        **run.pick("sampling", "sampler spacing steps guidance batch"),
        model=audited.loading,
        upscaler=audited.upscaler,
        generations=config["audit"]["generations"],
        rows_a_generation=audited.rows_a_generation,
        last=audited.is_last,
        kept=audited.kept,
    script:
        "../scripts/audit/generate_audit.py"


# A closed system behind HTTP is asked, one image at a time; `--resources downloads=1` keeps other downloads away
if config["inputs"]["download"]["local"]:

    localrules:
        fetch_audit,


rule fetch_audit:
    input:
        prompts="<results>/audit/prompts.parquet",
        code=code_of("audit/fetch_audit"),
    output:
        images="<results>/audit/asked.images.parquet",
        cost="<results>/audit/asked.cost.parquet",
        archive="<results>/audit/asked.zip",
    log:
        "<results>/logs/audit/fetch_audit.log",
    benchmark:
        "<results>/benchmarks/audit/fetch_audit.tsv"
    conda:
        "../../envs/fetch.yaml"
    threads: 1
    resources:
        downloads=1,
        mem_mb=grow(2500),
        runtime=grow(2880),
    params:
        generations=config["audit"]["generations"],
        endpoint=audited.endpoint,
        answers=audited.answers,
        most_missing=config["inputs"]["most_missing"],
        model=audited.loading,
    script:
        "../scripts/audit/fetch_audit.py"


rule compare_audit:
    input:
        images="<results>/audit/images.parquet",
        archive="<results>/audit/images.zip",
        prompts="<results>/audit/prompts.parquet",
        generations=audited.of_shards(".images.parquet"),
        code=code_of("audit/compare_audit"),
    output:
        pairs="<results>/audit/pairs.parquet",
        tests="<results>/audit/tests.parquet",
        null="<results>/audit/null.parquet",
    log:
        "<results>/logs/audit/compare_audit.log",
    benchmark:
        "<results>/benchmarks/audit/compare_audit.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(480),
    params:
        **run.pick("audit", "generations unrelated"),
        **run.pick("labels", "size mask guards"),
        thresholds=run.thresholds("labels"),
        search_size=config["evidence"]["size"],
        search=config["evidence"]["search"],
        least=config["evidence"]["test"]["least"],
        quantile=config["evidence"]["test"]["quantile"],
    script:
        "../scripts/audit/compare_audit.py"


rule label_audit:
    input:
        images="<results>/audit/images.parquet",
        pairs="<results>/audit/pairs.parquet",
        tests="<results>/audit/tests.parquet",
        scores=audited.scores,
        code=code_of("audit/label_audit"),
    output:
        verdicts="<results>/audit/verdicts.parquet",
        owners="<results>/audit/owners.parquet",
    log:
        "<results>/logs/audit/label_audit.log",
    benchmark:
        "<results>/benchmarks/audit/label_audit.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(30),
    params:
        **run.pick("audit", "part alpha most_p"),
        thresholds=run.thresholds("labels"),
        confidence=config["tables"]["confidence"],
        scores=config["audit"]["test"]["scores"],
        least_captions=config["audit"]["test"]["least"],
        least_controls=config["audit"]["test"]["controls"],
    script:
        "../scripts/audit/label_audit.py"


rule denoise_words:
    input:
        unpack(audited.loaded),
        prompts="<results>/audit/prompts.parquet",
        verdicts="<results>/audit/verdicts.parquet",
        code=code_of("audit/denoise_words"),
    output:
        tokens="<results>/audit/tokens.parquet",
    log:
        "<results>/logs/audit/denoise_words.log",
    benchmark:
        "<results>/benchmarks/audit/denoise_words.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(60),
    params:
        **run.pick("detectors", "seeds steps gradient_batch"),
        model=audited.loading,
    script:
        "../scripts/audit/denoise_words.py"


rule build_report:
    input:
        unpack(audited.loaded_stages),
        images="<results>/audit/images.parquet",
        archive="<results>/audit/images.zip",
        prompts="<results>/audit/prompts.parquet",
        generations=audited.of_shards(".images.parquet"),
        costs=audited.of_shards(".cost.parquet"),
        scores_cost=audited.scores_cost,
        pairs="<results>/audit/pairs.parquet",
        verdicts="<results>/audit/verdicts.parquet",
        owners="<results>/audit/owners.parquet",
        tokens=audited.tokens,
        page=workflow.source_path("../report/audit/page.html"),
        code=code_of("audit/build_report"),
    output:
        page="<results>/audit/report.html",
        verdicts="<results>/audit/verdicts.csv",
        owners="<results>/audit/owners.csv",
        json="<results>/audit/verdicts.json",
    log:
        "<results>/logs/audit/build_report.log",
    benchmark:
        "<results>/benchmarks/audit/build_report.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(30),
    params:
        **run.pick("audit", "generations shown"),
        **run.pick("audit", "part alpha most_p"),
        **run.pick("labels", "size mask"),
        **audited.sampling,
        model=audited.loading,
        upscaler=audited.upscaler,
        thresholds=run.thresholds("labels"),
        confidence=config["tables"]["confidence"],
        privacy=config["privacy"]["images"],
        only=config["privacy"]["only"],
        home=str(workflow.basedir),
    script:
        "../scripts/audit/build_report.py"


rule build_findings:
    input:
        unpack(audited.loaded_stages),
        images="<results>/audit/images.parquet",
        archive="<results>/audit/images.zip",
        prompts="<results>/audit/prompts.parquet",
        generations=audited.of_shards(".images.parquet"),
        pairs="<results>/audit/pairs.parquet",
        tests="<results>/audit/tests.parquet",
        null="<results>/audit/null.parquet",
        verdicts="<results>/audit/verdicts.parquet",
        computed=code_of("audit/generate_audit", "audit/compare_audit"),
        code=code_of("audit/build_findings"),
    output:
        bundle=directory("<results>/audit/bundle"),
        head="<results>/audit/bundle.head",
    log:
        "<results>/logs/audit/build_findings.log",
    benchmark:
        "<results>/benchmarks/audit/build_findings.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(120),
    params:
        **run.pick("privacy", "images only"),
        model=audited.loading,
        upscaler=audited.upscaler,
        settings=audited.bundle_settings,
        home=str(workflow.basedir),
    script:
        "../scripts/audit/build_findings.py"


rule check_audit:
    input:
        verdicts="<results>/audit/verdicts.json",
        code=code_of("audit/check_audit"),
    output:
        passed="<results>/audit/passed.txt",
    log:
        "<results>/logs/audit/check_audit.log",
    benchmark:
        "<results>/benchmarks/audit/check_audit.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        fail_above=config["audit"]["fail_above"],
    script:
        "../scripts/audit/check_audit.py"
