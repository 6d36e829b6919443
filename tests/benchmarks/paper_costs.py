"""What the full paper run costs, from config/paper.yaml: network rows, GPU hours, disk, jobs.

Nothing is run. GPU hours are rows / (rows a second), and the rate is an assumption that you replace by your
own (whitebox writes rows and seconds to tables/costs.csv). The default: an A100 80 GB makes 31.19 guided
iterations a second with Stable Diffusion 1.5 at 512 pixels in half precision, one image at a time, end to
end (github.com/fal-ai/stable-diffusion-benchmarks, diffusers with torch 2.1, SDPA): 62 rows a second.
DeepFloyd IF's stage I has 4.3 billion parameters, five times as many: a fifth of the rate is ASSUMED. Its stage II
has 1.2 billion, and 256 pixels: the same rate is ASSUMED.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "src"))

from cost_plan import plan_costs
from overlays import overlay

from verbatim.config.sheet import read_models

ROOT = Path(__file__).resolve().parents[2]
PNG_BYTES = 1.6  # ASSUME: bytes a pixel of a photograph as PNG
SIZES = {"sd": 512, "if": 256}  # of full generations


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", default=["config/paper.yaml"], nargs="*", help="overlays")
    parser.add_argument("--rate", type=float, default=62.0, help="rows a second, latent models")
    parser.add_argument("--rate-if", type=float, default=62.0 / 5, help="rows a second, IF")
    parser.add_argument("--rows", type=float, default=2.3e9, help="training rows")
    parser.add_argument("--shards", type=int, default=2314, help="embedding shards")
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--code", type=int, default=72, help="bytes of a row in the index")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    for file in args.config:
        config = overlay(config, yaml.safe_load((ROOT / file).read_text()))
    sheet = read_models(ROOT / config["models"], ROOT)
    paper = pd.read_csv(ROOT / config["tables"]["paper_values"], sep="\t").set_index("reference")
    counts = paper[["retrieved", "template", "exact"]].sum(axis=1)
    found = {m: int(counts.get(sheet.loc[m, "reference"], 0)) for m in sheet.index}
    plan = plan_costs(config, sheet, found)
    family = plan["model"].map(sheet["family"])
    plan["gpu_hours"] = plan["unet_rows"] / family.map({"sd": args.rate, "if": args.rate_if}) / 3600
    plan["disk_gb"] = plan["images"] * PNG_BYTES * family.map(SIZES) ** 2 / 1e9
    total = plan.groupby("stage", sort=False)[["jobs", "unet_rows", "gpu_hours", "disk_gb"]].sum()
    numbers = {
        "unet_rows": "{:,}".format,
        "gpu_hours": "{:,.1f}".format,
        "disk_gb": "{:,.1f}".format,
    }
    print(f"rows a second: {args.rate:g} (IF: {args.rate_if:g}), assumed, not measured\n")
    print(plan.to_string(index=False, formatters=numbers | {"prompts": "{:,}".format}))
    print("\n" + total.to_string(formatters=numbers))
    print(f"\nall: {plan['unet_rows'].sum():,} rows, {plan['gpu_hours'].sum():,.0f} GPU hours, "
          f"{plan['disk_gb'].sum():,.0f} GB of images")  # fmt: skip
    carlini = config["dedup"]["n_prompts"] * config["tables"]["carlini_images"]
    carlini *= config["sampling"]["steps"] * 2
    attack = plan[plan["stage"].isin(["whitebox", "blackbox"])].groupby("model")["unet_rows"].sum()
    for model, rows in attack.items():
        print(f"{model}: DCS and ECS {rows:,} rows; {config['tables']['carlini_images']} generations of "
              f"every prompt {carlini:,}: {carlini / rows:,.0f} times as many")  # fmt: skip
    print(f"embeddings to read: {args.rows * args.dim * 2 / 1e12:.1f} TB in {args.shards} shards; "
          f"index: {args.rows * args.code / 1e9:,.0f} GB")  # fmt: skip


if __name__ == "__main__":
    main()
