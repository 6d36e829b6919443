# figures: scores, labels and images -> the paper's figures and what it could not show, PNG and PDF of each.
#
# INPUTS   <results>/table1.csv, <results>/tables/*.csv; of every model <results>/labels/{model}/{labels.parquet,
#          images.zip,training.zip,masks.zip} and <results>/blackbox/{model}/{scores,images}.parquet; <results>/dedup/
#          of every model <results>/evidence/{model}/verification.parquet
# OUTPUTS  <results>/figures/fig1_generations    one-step and full generations of a copy, a template and no copy (Fig. 1)
#          <results>/figures/fig2_templates    templates: generated, retrieved, mask (Fig. 2)
#          <results>/figures/fig3_precision    precision against copies found, a panel an attack (Fig. 3)
#          <results>/figures/fig4_duplication  how often copied images are met, and with one caption (Fig. 4)
#          <results>/figures/fig5_near_misses  just above the threshold, other crops, distortions (Fig. 5)
#          <results>/figures/table1            Table 1 beside the paper's
#          <results>/figures/triples           one-step | generated | training image | mask, a few of every model
#          <results>/figures/recall            found of planted by number of copies             (embedded world)
#          <results>/figures/confusion         labels against truth                             (embedded world)
#          <results>/figures/roc               every score by kind of duplicate                 (embedded world)
#          <results>/figures/detector_recall   reach of every score by number of copies         (embedded world)
#          <results>/figures/histogram         DCS of planted, held-out and repeated captions   (embedded world)
#          <results>/figures/unpicked          what is drawn for prompts that nobody picked     (embedded world)


rule plot_images:
    input:
        labels=labels_of_models,
        images=[f"<results>/labels/{model}/images.zip" for model in MODELS.index],
        training=[f"<results>/labels/{model}/training.zip" for model in MODELS.index],
        masks=[f"<results>/labels/{model}/masks.zip" for model in MODELS.index],
        verification=[
            f"<results>/evidence/{model}/verification.parquet"
            for model in MODELS.index
        ],
        scores=of_attacked("<results>/blackbox/{model}/scores.parquet"),
        one_step=of_attacked("<results>/blackbox/{model}/images.parquet"),
        known_prompts=known_prompts(),
        code=code_of("figures/plot_images"),
    output:
        fig1=report(
            "<results>/figures/fig1_generations.png",
            caption="../report/fig1_generations.rst",
            category="2 The paper's figures",
            labels={"result": "Fig. 1: generations"},
        ),
        fig2=report(
            "<results>/figures/fig2_templates.png",
            caption="../report/fig2_templates.rst",
            category="2 The paper's figures",
            labels={"result": "Fig. 2: templates"},
        ),
        fig5=report(
            "<results>/figures/fig5_near_misses.png",
            caption="../report/fig5_near_misses.rst",
            category="2 The paper's figures",
            labels={"result": "Fig. 5: near misses"},
        ),
        triples=report(
            "<results>/figures/triples.png",
            caption="../report/triples.rst",
            category="2 The paper's figures",
            labels={"result": "Copies of every model"},
        ),
        pdf=expand(
            "<results>/figures/{figure}.pdf",
            figure=[
                "fig1_generations",
                "fig2_templates",
                "fig5_near_misses",
                "triples",
            ],
        ),
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
        names=names_of(MODELS.index),
        attacked=attacked_models(),
        one_step_seeds=config["blackbox"]["seeds"][: config["figures"]["seeds"]],
        full_seeds=config["labels"]["seeds"][: config["figures"]["seeds"]],
        examples=config["figures"]["examples"],
        images=config["privacy"]["images"],
        only=config["privacy"]["only"],
        near_misses=config["figures"]["near_misses"],
        threshold=max(config["labels"]["presets"][config["labels"]["preset"]].values()),
        dpi=config["figures"]["dpi"],
    script:
        "../scripts/figures/plot_images.py"


rule plot_curves:
    input:
        labels=[f"<results>/labels/{model}/labels.parquet" for model in shown_models()],
        precision="<results>/tables/precision.csv" if attacked_models() else [],
        prompts="<results>/dedup/prompts.parquet",
        clusters="<results>/dedup/clusters.parquet",
        stats="<results>/dedup/cluster_stats.parquet",
        manifest="<results>/inputs/manifest.tsv",
        table1="<results>/table1.csv",
        paper="<results>/tables/table1_vs_paper.csv",
        code=code_of("figures/plot_curves"),
    output:
        table1=report(
            "<results>/figures/table1.png",
            caption="../report/table1.rst",
            category="1 Table 1",
            labels={"result": "Table 1 beside the paper's"},
        ),
        fig3=report(
            "<results>/figures/fig3_precision.png",
            caption="../report/fig3_precision.rst",
            category="2 The paper's figures",
            labels={"result": "Fig. 3: precision"},
        ),
        fig4=report(
            "<results>/figures/fig4_duplication.png",
            caption="../report/fig4_duplication.rst",
            category="2 The paper's figures",
            labels={"result": "Fig. 4: duplication"},
        ),
        pdf=expand(
            "<results>/figures/{figure}.pdf",
            figure=["table1", "fig3_precision", "fig4_duplication"],
        ),
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
        names=names_of(shown_models()),
        attacked=attacked_models(),
        dpi=config["figures"]["dpi"],
    script:
        "../scripts/figures/plot_curves.py"


rule plot_truth:
    input:
        truth="<results>/world/truth.parquet",
        world_images="<results>/world/images.npy",
        recall="<results>/tables/recall.csv",
        confusion="<results>/tables/confusion.csv",
        prompts=detector_table("detectors"),
        evaluation=detector_table("evaluation"),
        kinds=detector_table("kinds"),
        roc=detector_table("roc"),
        images=of_attacked("<results>/labels/{model}/images.zip"),
        one_step=of_attacked("<results>/blackbox/{model}/images.parquet"),
        known_prompts=known_prompts(),
        code=code_of("figures/plot_truth"),
    output:
        recall=report(
            "<results>/figures/recall.png",
            caption="../report/recall.rst",
            category="3 What the paper could not show",
            labels={"result": "Recall"},
        ),
        confusion=report(
            "<results>/figures/confusion.png",
            caption="../report/confusion.rst",
            category="3 What the paper could not show",
            labels={"result": "Labels against truth"},
        ),
        roc=report(
            "<results>/figures/roc.png",
            caption="../report/roc.rst",
            category="3 What the paper could not show",
            labels={"result": "ROC of every score"},
        ),
        detector_recall=report(
            "<results>/figures/detector_recall.png",
            caption="../report/detector_recall.rst",
            category="3 What the paper could not show",
            labels={"result": "Recall of every score by count"},
        ),
        histogram=report(
            "<results>/figures/histogram.png",
            caption="../report/histogram.rst",
            category="3 What the paper could not show",
            labels={"result": "DCS by kind"},
        ),
        unpicked=report(
            "<results>/figures/unpicked.png",
            caption="../report/unpicked.rst",
            category="3 What the paper could not show",
            labels={"result": "Unpicked prompts"},
        ),
        pdf=expand(
            "<results>/figures/{figure}.pdf",
            figure=[
                "recall",
                "confusion",
                "roc",
                "detector_recall",
                "histogram",
                "unpicked",
            ],
        ),
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
        names=names_of(MODELS.index),
        attacked=names_of(attacked_models()),
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
