# detectors, on triggers: prompts that give a training image back, found without captions. After MemBench, Hong et al. 2024.
# Target `triggers`, never part of `all`.
#
# INPUTS   the model alone for a search; <results>/dedup/prompts.parquet and <results>/whitebox/{model}/scores.parquet for the
#          known captions beside it; the training images for the labels
# OUTPUTS  in <results>/detectors/{model}/triggers/
#          of search_triggers, by method: words, gibbs or random
#            {method}/chains.parquet          prompts of the highest energy that each chain tried; search.parquet: network rows
#            {method}/kept/                   finished chains, found again by their number
#          of generate_triggered, by method: the same, and captions
#            {method}/prompts.parquet         prompts that are generated; generations.parquet, images.zip, cost.parquet
#          of label_triggered
#            labels.parquet                   which training image each generation gives back, and which generations repeat
#          of plot_triggered
#            sheet.png, sheet.pdf             prompts that were found, their generations, and the training images


rule search_triggers:
    input:
        unpack(run.models.loaded),
        code=code_of("detectors/search_triggers"),
    output:
        chains="<results>/detectors/{model}/triggers/{method}/chains.parquet",
        cost="<results>/detectors/{model}/triggers/{method}/search.parquet",
    log:
        "<results>/logs/detectors/search_triggers/{model}-{method}.log",
    benchmark:
        "<results>/benchmarks/detectors/search_triggers/{model}-{method}.tsv"
    wildcard_constraints:
        model=run.models.run_here,
        method=triggers.searches,
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(240),
    params:
        **run.pick("detectors.triggers", "search letters batch rows_a_part"),
        model=run.models.loading,
        kept=triggers.kept,
    script:
        "../scripts/detectors/search_triggers.py"


rule generate_triggered:
    input:
        unpack(run.models.loaded),
        chains=triggers.chains,
        captions=triggers.captions,
        scores=triggers.scores,
        code=code_of("detectors/generate_triggered"),
    output:
        prompts="<results>/detectors/{model}/triggers/{method}/prompts.parquet",
        generations="<results>/detectors/{model}/triggers/{method}/generations.parquet",
        images="<results>/detectors/{model}/triggers/{method}/images.zip",
        cost="<results>/detectors/{model}/triggers/{method}/cost.parquet",
    log:
        "<results>/logs/detectors/generate_triggered/{model}-{method}.log",
    benchmark:
        "<results>/benchmarks/detectors/generate_triggered/{model}-{method}.tsv"
    wildcard_constraints:
        model=run.models.run_here,
        method=triggers.methods,
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(60),
    params:
        **run.pick("sampling", "sampler spacing steps guidance batch"),
        **run.pick("detectors.triggers", "prompts seeds"),
        model=run.models.loading,
    script:
        "../scripts/detectors/generate_triggered.py"


rule label_triggered:
    input:
        images=triggers.of_methods("images.zip"),
        generations=triggers.of_methods("generations.parquet"),
        rows=run.data.rows,
        archives=run.data.archives,
        code=code_of("detectors/label_triggered"),
    output:
        labels="<results>/detectors/{model}/triggers/labels.parquet",
    log:
        "<results>/logs/detectors/label_triggered/{model}.log",
    benchmark:
        "<results>/benchmarks/detectors/label_triggered/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        **run.pick("labels", "preset size order mask guards"),
        **run.pick("detectors.triggers", "near repeats"),
        thresholds=run.thresholds("labels"),
        methods=triggers.names,
    script:
        "../scripts/detectors/label_triggered.py"


rule plot_triggered:
    input:
        prompts=triggers.of_methods("prompts.parquet"),
        images=triggers.of_methods("images.zip"),
        labels="<results>/detectors/{model}/triggers/labels.parquet",
        rows=run.data.rows,
        archives=run.data.archives,
        code=code_of("detectors/plot_triggered"),
    output:
        png="<results>/detectors/{model}/triggers/sheet.png",
        pdf="<results>/detectors/{model}/triggers/sheet.pdf",
    log:
        "<results>/logs/detectors/plot_triggered/{model}.log",
    benchmark:
        "<results>/benchmarks/detectors/plot_triggered/{model}.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        **run.pick("privacy", "images only"),
        methods=triggers.names,
        shown=config["detectors"]["triggers"]["shown"],
        dpi=config["figures"]["dpi"],
    script:
        "../scripts/detectors/plot_triggered.py"
