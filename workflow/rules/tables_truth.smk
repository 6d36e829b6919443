# tables, against the truth: what only a world whose copies are known can say, of one run and of several seeds.
#
# INPUTS   <results>/world/truth.parquet, <results>/dedup/prompts.parquet, labels and scores of every model
# OUTPUTS  in <results>/tables/
#          of count_recall
#            recall.csv                       found of planted
#          of compare_truth
#            confusion.csv                    labels against truth
#          of score_detectors
#            evaluation.csv                   every score as a detector; detectors.csv: the scores, a row a prompt
#            kinds.csv                        every score by kind of duplicate and count; roc.csv: the curves
#            depths.csv                       precision of every score's first k prompts
#          of compare_scores
#            scores.csv                       every score by what it finds and what it costs a prompt
#          of compare_descriptors, where labels.copies names a copy descriptor
#            separation.csv                   how well it tells copies from other images, beside CLIP
#          of check_world
#            findings.csv                     which of the paper's findings hold in this world
#          of compare_seeds, a target of its own
#            seeds.csv                        several worlds side by side
#          of compare_findings
#            findings_runs.csv                findings of this world, of the same trained anew, and of other seeds
#          of compare_audited
#            audit.csv                        verdicts of the audit of the world's sample against truth
#          of compare_guarded, part of target guard
#            guard.csv                        what the guard lets out, judged by all training images


rule count_recall:
    input:
        truth="<results>/world/truth.parquet",
        labels=run.of_labels("labels.parquet"),
        code=code_of("tables/count_recall"),
    output:
        table=shown(
            "<results>/tables/recall.csv", "Recall (CSV)", TABLES, "count_recall"
        ),
    log:
        "<results>/logs/tables/count_recall.log",
    benchmark:
        "<results>/benchmarks/tables/count_recall.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        models=run.models.all,
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/tables/count_recall.py"


rule compare_truth:
    input:
        truth="<results>/world/truth.parquet",
        labels=run.of_labels("labels.parquet"),
        code=code_of("tables/compare_truth"),
    output:
        table=shown(
            "<results>/tables/confusion.csv",
            "Labels against truth (CSV)",
            TABLES,
            "compare_truth",
        ),
    log:
        "<results>/logs/tables/compare_truth.log",
    benchmark:
        "<results>/benchmarks/tables/compare_truth.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        **run.pick("tables", "resamples confidence seed"),
        models=run.models.all,
    script:
        "../scripts/tables/compare_truth.py"


rule score_detectors:
    input:
        truth="<results>/world/truth.parquet",
        prompts="<results>/dedup/prompts.parquet",
        whitebox=run.scores("whitebox"),
        blackbox=run.scores("blackbox"),
        postfilter=run.scores("postfilter"),
        detectors=run.of_detected("<results>/detectors/{model}/detectors.parquet"),
        labels=run.of_attacked("<results>/labels/{model}/labels.parquet"),
        code=code_of("tables/score_detectors"),
    output:
        table=shown(
            "<results>/tables/evaluation.csv",
            "Every score as a detector (CSV)",
            TABLES,
            "score_detectors",
        ),
        prompts="<results>/tables/detectors.csv",
        kinds=shown(
            "<results>/tables/kinds.csv",
            "Every score by kind and count (CSV)",
            TABLES,
            "score_detectors",
        ),
        roc="<results>/tables/roc.csv",
        depths=shown(
            "<results>/tables/depths.csv",
            "Precision at k of every score (CSV)",
            TABLES,
            "score_detectors",
        ),
    log:
        "<results>/logs/tables/score_detectors.log",
    benchmark:
        "<results>/benchmarks/tables/score_detectors.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(20),
    params:
        **run.pick("tables", "fpr fpr_strict depths resamples folds confidence seed"),
        models=run.models.attacked,
    script:
        "../scripts/tables/score_detectors.py"


rule compare_scores:
    input:
        evaluation="<results>/tables/evaluation.csv",
        depths="<results>/tables/depths.csv",
        costs="<results>/tables/costs.csv",
        detectors=run.of_detected("<results>/detectors/{model}/detectors.parquet"),
        code=code_of("tables/compare_scores"),
    output:
        table=shown(
            "<results>/tables/scores.csv",
            "Every score by its cost (CSV)",
            TABLES,
            "compare_scores",
        ),
    log:
        "<results>/logs/tables/compare_scores.log",
    benchmark:
        "<results>/benchmarks/tables/compare_scores.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        models=run.models.attacked,
        depths=config["tables"]["depths"],
    script:
        "../scripts/tables/compare_scores.py"


rule compare_descriptors:
    input:
        pairs="<results>/world/pairs.parquet",
        code=code_of("tables/compare_descriptors"),
    output:
        table=shown(
            "<results>/tables/separation.csv",
            "Copy descriptors on unseen pairs (CSV)",
            TABLES,
            "compare_descriptors",
        ),
    log:
        "<results>/logs/tables/compare_descriptors.log",
    benchmark:
        "<results>/benchmarks/tables/compare_descriptors.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        **run.pick("tables", "resamples confidence seed"),
        thresholds=config["labels"]["copies"]["thresholds"],
    script:
        "../scripts/tables/compare_descriptors.py"


rule check_world:
    input:
        truth="<results>/world/truth.parquet",
        prompts="<results>/dedup/prompts.parquet",
        labels=run.of_labels("labels.parquet"),
        evaluation="<results>/tables/evaluation.csv",
        kinds="<results>/tables/kinds.csv",
        precision="<results>/tables/precision.csv",
        recall="<results>/tables/recall.csv",
        code=code_of("tables/check_world"),
    output:
        table="<results>/tables/findings.csv",
    log:
        "<results>/logs/tables/check_world.log",
    benchmark:
        "<results>/benchmarks/tables/check_world.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        models=run.models.all,
        roles=run.models.roles,
    script:
        "../scripts/tables/check_world.py"


rule compare_seeds:
    input:
        table1=run.of_seeds("<results>/seeds/{seed}/table1.csv"),
        recall=run.of_seeds("<results>/seeds/{seed}/tables/recall.csv"),
        evaluation=run.of_seeds("<results>/seeds/{seed}/tables/evaluation.csv"),
        kinds=run.of_seeds("<results>/seeds/{seed}/tables/kinds.csv"),
        scores=run.of_seeds("<results>/seeds/{seed}/tables/scores.csv"),
        depths=run.of_seeds("<results>/seeds/{seed}/tables/depths.csv"),
        confusion=run.of_seeds("<results>/seeds/{seed}/tables/confusion.csv"),
        code=code_of("tables/compare_seeds"),
    output:
        table="<results>/tables/seeds.csv",
    log:
        "<results>/logs/tables/compare_seeds.log",
    benchmark:
        "<results>/benchmarks/tables/compare_seeds.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        seeds=config["tables"]["seed_runs"],
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/tables/compare_seeds.py"


# beside what `make world-check` and `make seeds` leave in the same results folder
rule compare_findings:
    input:
        this="<results>/tables/findings.csv",
        anew="<results>/trained/tables/findings.csv",
        seeds=run.of_seeds("<results>/seeds/{seed}/tables/findings.csv"),
        code=code_of("tables/compare_findings"),
    output:
        table="<results>/tables/findings_runs.csv",
    log:
        "<results>/logs/tables/compare_findings.log",
    benchmark:
        "<results>/benchmarks/tables/compare_findings.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    script:
        "../scripts/tables/compare_findings.py"


rule compare_audited:
    input:
        kinds="<results>/world/sample.parquet",
        images="<results>/audit/images.parquet",
        verdicts="<results>/audit/verdicts.parquet",
        code=code_of("tables/compare_audited"),
    output:
        table="<results>/tables/audit.csv",
    log:
        "<results>/logs/tables/compare_audited.log",
    benchmark:
        "<results>/benchmarks/tables/compare_audited.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/tables/compare_audited.py"


rule compare_guarded:
    input:
        truth="<results>/world/truth.parquet",
        rows=run.data.rows,
        archives=run.data.archives,
        outcomes=guarded.of_models("<results>/guard/{model}/outcomes.parquet"),
        images=guarded.of_models("<results>/labels/{model}/images.zip"),
        guarded=guarded.of_all("images.parquet"),
        code=code_of("tables/compare_guarded"),
    output:
        table="<results>/tables/guard.csv",
    log:
        "<results>/logs/tables/compare_guarded.log",
    benchmark:
        "<results>/benchmarks/tables/compare_guarded.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(120),
    params:
        **run.pick("tables", "confidence resamples seed"),
        models=guarded.models_told,
        defences=config["guard"]["defences"],
        threshold=run.thresholds("labels")["mv"],
    script:
        "../scripts/tables/compare_guarded.py"
