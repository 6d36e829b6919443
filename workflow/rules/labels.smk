# labels: candidate prompts of a model -> MV, RV, TV or N, with distances, sources and masks.
# Webster 2023, section 4 and Table 1. Training images are found and read in labels_images.smk.
#
# INPUTS   <results>/dedup/prompts.parquet, <results>/inputs/rows/, the model; by the sheet's column `candidates` also
#            own         scores of whitebox, blackbox and postfilter of the model
#            top:m       scores of blackbox of model m
#            found:m,n   labels of models m and n
#            authors     the authors' labels of the model (labels.authors), and inputs/rows to find their rows in
#            manifest    inputs/rows, to find the rows of a closed system's prompts in
#          of a closed system (family `images`) a folder of images with manifest.csv or manifest.parquet, or
#          (family `api`) the description of its endpoint
# OUTPUTS  in <results>/labels/{model}/
#          of select_candidates, and of select_generations for a closed system whose manifest lists prompts
#            selection.parquet                the candidates, and why they are
#          of generate_candidates
#            shards/{shard}.images.parquet    which archive holds a prompt's generations; .cost.parquet
#            kept/                            these generations, in parts that are found again by prompt
#          of fetch_generations, for a closed system behind HTTP
#            asked/                           its images as they were sent, with manifest.jsonl
#            answers/                         every answer that was paid for, and the ledger of all requests
#          of merge_candidates, and of build_generations for a closed system
#            images.zip                       the generations, {prompt_id}_{seed}.png; cost.parquet
#            generations.parquet              closed systems: what became of each line of the manifest
#          of label_candidates
#            shards/{shard}.parquet           a label a candidate; .masks.zip
#          of merge_labels
#            labels.parquet                   the labels of all shards; masks.zip: template masks
#          of build_release, asked for by name
#            release/                         the same in the authors' layout


rule select_candidates:
    input:
        unpack(run.models.candidate_files),
        prompts="<results>/dedup/prompts.parquet",
        code=code_of("labels/select_candidates"),
    output:
        selection="<results>/labels/{model}/selection.parquet",
    log:
        "<results>/logs/labels/select_candidates/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/select_candidates/{model}.tsv"
    wildcard_constraints:
        model=run.models.prompted,
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        candidates=run.models.candidates,
        found_in=run.models.found_in,
        n_prompts=run.models.n_candidates,
    script:
        "../scripts/labels/select_candidates.py"


rule generate_candidates:
    input:
        unpack(run.models.loaded_stages),
        selection="<results>/labels/{model}/selection.parquet",
        filtered=run.filtered,
        code=code_of("labels/generate_candidates"),
    output:
        images="<results>/labels/{model}/shards/{shard}.images.parquet",
        cost="<results>/labels/{model}/shards/{shard}.cost.parquet",
    log:
        "<results>/logs/labels/generate_candidates/{model}-{shard}.log",
    benchmark:
        "<results>/benchmarks/labels/generate_candidates/{model}-{shard}.tsv"
    wildcard_constraints:
        model=run.models.run_here,
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(480),
    params:
        **run.pick("labels", "seeds prompts_a_shard prompts_a_part"),
        **run.pick("sampling", "sampler spacing steps guidance batch"),
        model=run.models.loading,
        upscaler=run.models.upscaler,
        last=run.last_shard("labels"),
        kept=run.kept("labels"),
    script:
        "../scripts/labels/generate_candidates.py"


rule merge_candidates:
    input:
        selection="<results>/labels/{model}/selection.parquet",
        images=run.of_shards("labels", ".images.parquet"),
        costs=run.of_shards("labels", ".cost.parquet"),
        code=code_of("labels/merge_candidates"),
    output:
        images="<results>/labels/{model}/images.zip",
        cost="<results>/labels/{model}/cost.parquet",
    log:
        "<results>/logs/labels/merge_candidates/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/merge_candidates/{model}.tsv"
    wildcard_constraints:
        model=run.models.run_here,
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(60),
    params:
        kept=run.kept("labels"),
    script:
        "../scripts/labels/merge_candidates.py"


# A closed system behind HTTP is asked, one image at a time; `--resources downloads=1` keeps other downloads away
if config["inputs"]["download"]["local"]:

    localrules:
        fetch_generations,


rule fetch_generations:
    input:
        selection="<results>/labels/{model}/selection.parquet",
        code=code_of("labels/fetch_generations"),
    output:
        manifest="<results>/labels/{model}/asked/manifest.jsonl",
    log:
        "<results>/logs/labels/fetch_generations/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/fetch_generations/{model}.tsv"
    wildcard_constraints:
        model=run.models.asked_for,
    conda:
        "../../envs/fetch.yaml"
    threads: 1
    resources:
        downloads=1,
        mem_mb=grow(2500),
        runtime=grow(2880),
    params:
        seeds=config["labels"]["seeds"],
        endpoint=run.models.endpoint,
        answers=run.models.answers,
        most_missing=config["inputs"]["most_missing"],
    script:
        "../scripts/labels/fetch_generations.py"


# A closed system cannot be run here: its images are read, at once, so that what is wrong with the
# manifest is said before anything long starts; the files are those that are generated for any other model.
rule build_generations:
    input:
        manifest=run.models.manifest,
        code=code_of("labels/build_generations"),
    output:
        images="<results>/labels/{model}/images.zip",
        cost="<results>/labels/{model}/cost.parquet",
        generations="<results>/labels/{model}/generations.parquet",
    log:
        "<results>/logs/labels/build_generations/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/build_generations/{model}.tsv"
    wildcard_constraints:
        model=run.models.images_only,
    priority: 1000
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(240),
    params:
        most_missing=config["inputs"]["most_missing"],
        beside=run.models.images_state,
        may_be_empty=run.models.is_asked,
    script:
        "../scripts/labels/build_generations.py"


rule select_generations:
    input:
        unpack(run.models.candidate_files),
        generations="<results>/labels/{model}/generations.parquet",
        prompts="<results>/dedup/prompts.parquet",
        code=code_of("labels/select_generations"),
    output:
        selection="<results>/labels/{model}/selection.parquet",
    log:
        "<results>/logs/labels/select_generations/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/select_generations/{model}.tsv"
    wildcard_constraints:
        model=run.models.listed,
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(720),
    params:
        candidates=run.models.candidates,
        found_in=run.models.found_in,
        n_prompts=run.models.n_candidates,
    script:
        "../scripts/labels/select_generations.py"


rule label_candidates:
    input:
        selection="<results>/labels/{model}/selection.parquet",
        images="<results>/labels/{model}/images.zip",
        neighbours="<results>/labels/{model}/neighbours.parquet",
        training="<results>/labels/{model}/training.zip",
        fetched="<results>/labels/{model}/fetched.parquet",
        relatives="<results>/labels/{model}/relatives.parquet",
        code=code_of("labels/label_candidates"),
    output:
        labels="<results>/labels/{model}/shards/{shard}.parquet",
        masks="<results>/labels/{model}/shards/{shard}.masks.zip",
    log:
        "<results>/logs/labels/label_candidates/{model}-{shard}.log",
    benchmark:
        "<results>/benchmarks/labels/label_candidates/{model}-{shard}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(240),
    params:
        **run.pick("labels", "preset order size mask guards prompts_a_shard"),
        thresholds=run.thresholds("labels"),
        seeds=run.models.seeds,
        last=run.last_shard("labels"),
    script:
        "../scripts/labels/label_candidates.py"


rule merge_labels:
    input:
        selection="<results>/labels/{model}/selection.parquet",
        labels=run.of_shards("labels", ".parquet"),
        masks=run.of_shards("labels", ".masks.zip"),
        code=code_of("labels/merge_labels"),
    output:
        labels="<results>/labels/{model}/labels.parquet",
        masks="<results>/labels/{model}/masks.zip",
    log:
        "<results>/logs/labels/merge_labels/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/merge_labels/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        most_missing=config["inputs"]["most_missing"],
    script:
        "../scripts/labels/merge_labels.py"


rule build_release:
    input:
        labels="<results>/labels/{model}/labels.parquet",
        training="<results>/labels/{model}/training.zip",
        masks="<results>/labels/{model}/masks.zip",
        rows=run.data.rows,
        known_prompts=run.known_prompts,
        code=code_of("labels/build_release"),
    output:
        release=directory("<results>/labels/{model}/release"),
    log:
        "<results>/logs/labels/build_release/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/build_release/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(240),
    params:
        **run.pick("privacy", "images only"),
    script:
        "../scripts/labels/build_release.py"
