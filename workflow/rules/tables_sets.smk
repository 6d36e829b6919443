# tables, on published prompt sets: how far captions alone tell memorized prompts from others, and what scores add.
# Target `prompt_sets`; scores are computed where dedup.prompt_list is prompt_sets.
#
# INPUTS   <results>/inputs/prompt_sets.parquet; for scores those of whitebox, blackbox and detectors, and of
#          postfilter if asked for
# OUTPUTS  in <results>/tables/
#          of count_sets, which needs no model
#            prompt_sets.csv                  a row a set and kind of negatives: prompts, families, best blind baseline
#            set_baselines.csv                every blind baseline; set_overlaps.csv: what two sides share
#            set_families.csv                 near-duplicate captions; set_matches.csv: matched negatives
#            prompt_sets.html                 these tables on one page, to read
#          of score_sets
#            set_scores.csv                   every score of every attacked model beside the best blind baseline
#            set_scores.html                  the same, to read


rule count_sets:
    input:
        sets="<results>/inputs/prompt_sets.parquet",
        template=[
            workflow.source_path(f"../report/{name}")
            for name in ("tables/page.html", "tables.css")
        ],
        code=code_of("tables/count_sets"),
    output:
        sets="<results>/tables/prompt_sets.csv",
        baselines="<results>/tables/set_baselines.csv",
        overlaps="<results>/tables/set_overlaps.csv",
        families="<results>/tables/set_families.csv",
        matches="<results>/tables/set_matches.csv",
        page="<results>/tables/prompt_sets.html",
    log:
        "<results>/logs/tables/count_sets.log",
    benchmark:
        "<results>/benchmarks/tables/count_sets.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        **run.pick("tables", "fpr fpr_strict resamples folds confidence seed"),
        family=config["prompt_sets"]["family"],
    script:
        "../scripts/tables/count_sets.py"


rule score_sets:
    input:
        sets="<results>/inputs/prompt_sets.parquet",
        whitebox=run.scores("whitebox"),
        blackbox=run.scores("blackbox"),
        postfilter=sets.cliques,
        detectors=run.of_detected("<results>/detectors/{model}/detectors.parquet"),
        template=[
            workflow.source_path(f"../report/{name}")
            for name in ("tables/page.html", "tables.css")
        ],
        code=code_of("tables/score_sets"),
    output:
        table="<results>/tables/set_scores.csv",
        page="<results>/tables/set_scores.html",
    log:
        "<results>/logs/tables/score_sets.log",
    benchmark:
        "<results>/benchmarks/tables/score_sets.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(120),
    params:
        **run.pick("tables", "fpr fpr_strict resamples folds confidence seed"),
        family=config["prompt_sets"]["family"],
        models=run.models.attacked,
        stages=sets.stages,
    script:
        "../scripts/tables/score_sets.py"
