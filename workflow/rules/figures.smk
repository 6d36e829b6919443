# figures: scores, labels and images -> the paper's figures and what it could not show, PNG and PDF of each.
#
# INPUTS   <results>/table1.csv, <results>/tables/*.csv, <results>/dedup/; of every model <results>/labels/{model}/
#          {labels.parquet,images.zip,training.zip,masks.zip}, <results>/blackbox/{model}/{scores,images}.parquet and
#          <results>/evidence/{model}/verification.parquet
# OUTPUTS  in <results>/figures/
#          of plot_images
#            fig1_generations                 one-step and full generations of a copy, a template and no copy (Fig. 1)
#            fig2_templates                   templates: generated, retrieved, mask (Fig. 2)
#            fig5_near_misses                 just above the threshold, other crops, distortions (Fig. 5)
#            triples                          one-step | generated | training image | mask, a few of every model
#          of plot_curves
#            fig3_precision                   precision against copies found, a panel an attack (Fig. 3)
#            fig4_duplication                 how often copied images are met, and with one caption (Fig. 4)
#            table1                           Table 1 beside the paper's
#          of plot_edges, in an embedded world
#            edges                            the edges on which seeds agree, under each preset of ECS
#          of plot_truth, in an embedded world
#            recall                           found of planted by number of copies
#            confusion                        labels against truth
#            roc                              every score by kind of duplicate
#            detector_recall                  reach of every score by number of copies
#            histogram                        DCS of planted, held-out and repeated captions
#            unpicked                         generations of prompts that nobody picked
#            copies                           one step and full, from often trained on to never


rule plot_images:
    input:
        labels=run.of_labels("labels.parquet"),
        images=run.of_labels("images.zip"),
        training=run.of_labels("training.zip"),
        masks=run.of_labels("masks.zip"),
        verification=run.of_models("<results>/evidence/{model}/verification.parquet"),
        scores=run.scores("blackbox"),
        one_step=run.of_attacked("<results>/blackbox/{model}/images.parquet"),
        known_prompts=run.known_prompts,
        code=code_of("figures/plot_images"),
    output:
        fig1=shown(
            "<results>/figures/fig1_generations.png", "Fig. 1: generations", FIGURES
        ),
        fig2=shown("<results>/figures/fig2_templates.png", "Fig. 2: templates", FIGURES),
        fig5=shown(
            "<results>/figures/fig5_near_misses.png", "Fig. 5: near misses", FIGURES
        ),
        triples=shown("<results>/figures/triples.png", "Copies of every model", FIGURES),
        pdf=[
            "<results>/figures/fig1_generations.pdf",
            "<results>/figures/fig2_templates.pdf",
            "<results>/figures/fig5_near_misses.pdf",
            "<results>/figures/triples.pdf",
        ],
    log:
        "<results>/logs/figures/plot_images.log",
    benchmark:
        "<results>/benchmarks/figures/plot_images.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        **run.pick("figures", "examples near_misses dpi"),
        **run.pick("privacy", "images only"),
        names=run.models.names(run.models.all),
        attacked=run.models.attacked,
        one_step_seeds=config["blackbox"]["seeds"][: config["figures"]["seeds"]],
        full_seeds=config["labels"]["seeds"][: config["figures"]["seeds"]],
        threshold=max(run.thresholds("labels").values()),
    script:
        "../scripts/figures/plot_images.py"


rule plot_curves:
    input:
        labels=run.of_models(
            "<results>/labels/{model}/labels.parquet", run.models.shown
        ),
        precision=run.precision,
        prompts="<results>/dedup/prompts.parquet",
        clusters="<results>/dedup/clusters.parquet",
        stats="<results>/dedup/cluster_stats.parquet",
        manifest="<results>/inputs/manifest.tsv",
        table1="<results>/table1.csv",
        paper="<results>/tables/table1_vs_paper.csv",
        code=code_of("figures/plot_curves"),
    output:
        table1=shown(
            "<results>/figures/table1.png", "Table 1 beside the paper's", TABLE1
        ),
        fig3=shown("<results>/figures/fig3_precision.png", "Fig. 3: precision", FIGURES),
        fig4=shown(
            "<results>/figures/fig4_duplication.png", "Fig. 4: duplication", FIGURES
        ),
        pdf=[
            "<results>/figures/table1.pdf",
            "<results>/figures/fig3_precision.pdf",
            "<results>/figures/fig4_duplication.pdf",
        ],
    log:
        "<results>/logs/figures/plot_curves.log",
    benchmark:
        "<results>/benchmarks/figures/plot_curves.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        names=run.models.names(run.models.shown),
        attacked=run.models.attacked,
        dpi=config["figures"]["dpi"],
    script:
        "../scripts/figures/plot_curves.py"


rule plot_edges:
    input:
        prompts=run.detector_table("detectors"),
        one_step=run.of_attacked("<results>/blackbox/{model}/images.parquet")[:1],
        known_prompts=run.known_prompts,
        code=code_of("figures/plot_edges"),
    output:
        png=shown("<results>/figures/edges.png", "What ECS sees", OURS),
        pdf="<results>/figures/edges.pdf",
    log:
        "<results>/logs/figures/plot_edges.log",
    benchmark:
        "<results>/benchmarks/figures/plot_edges.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        **run.pick("blackbox", "preset presets seeds"),
        **run.pick("privacy", "images only"),
        model=(run.models.attacked or [""])[0],
        dpi=config["figures"]["dpi"],
    script:
        "../scripts/figures/plot_edges.py"


rule plot_truth:
    input:
        truth="<results>/world/truth.parquet",
        world_images="<results>/world/images.npy",
        recall="<results>/tables/recall.csv",
        confusion="<results>/tables/confusion.csv",
        prompts=run.detector_table("detectors"),
        evaluation=run.detector_table("evaluation"),
        kinds=run.detector_table("kinds"),
        roc=run.detector_table("roc"),
        images=run.of_attacked("<results>/labels/{model}/images.zip"),
        one_step=run.of_attacked("<results>/blackbox/{model}/images.parquet"),
        known_prompts=run.known_prompts,
        code=code_of("figures/plot_truth"),
    output:
        recall=shown("<results>/figures/recall.png", "Recall", OURS),
        confusion=shown("<results>/figures/confusion.png", "Labels against truth", OURS),
        roc=shown("<results>/figures/roc.png", "ROC of every score", OURS),
        detector_recall=shown(
            "<results>/figures/detector_recall.png",
            "Recall of every score by count",
            OURS,
        ),
        histogram=shown("<results>/figures/histogram.png", "DCS by kind", OURS),
        unpicked=shown("<results>/figures/unpicked.png", "Unpicked prompts", OURS),
        copies=shown("<results>/figures/copies.png", "Copies at a glance", OURS),
        pdf=[
            "<results>/figures/recall.pdf",
            "<results>/figures/confusion.pdf",
            "<results>/figures/roc.pdf",
            "<results>/figures/detector_recall.pdf",
            "<results>/figures/histogram.pdf",
            "<results>/figures/unpicked.pdf",
            "<results>/figures/copies.pdf",
        ],
    log:
        "<results>/logs/figures/plot_truth.log",
    benchmark:
        "<results>/benchmarks/figures/plot_truth.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        figures=TRUTH_FIGURES,
        names=run.models.names(run.models.all),
        attacked=run.models.names(run.models.attacked),
        whitebox=config["whitebox"]["preset"],
        blackbox=config["blackbox"]["preset"],
        fpr=config["tables"]["fpr"],
        one_step_seed=config["blackbox"]["seeds"][0],
        seeds=config["labels"]["seeds"][: config["figures"]["unpicked_seeds"]],
        examples=config["figures"]["unpicked"],
        shown=config["privacy"]["images"],
        only=config["privacy"]["only"],
        dpi=config["figures"]["dpi"],
    script:
        "../scripts/figures/plot_truth.py"
