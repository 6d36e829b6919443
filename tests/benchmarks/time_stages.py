"""What each stage of a finished run cost, and its share of the whole, from the jobs' benchmarks.

python tests/benchmarks/time_stages.py results
python tests/benchmarks/time_stages.py results --stage figures
"""

import argparse
from pathlib import Path

import pandas as pd


def read_jobs(results: Path) -> pd.DataFrame:
    """stage, rule, seconds, cpu, memory (MB) of every job; a job without CPU time was too short."""
    rows = []
    for path in sorted((results / "benchmarks").rglob("*.tsv")):
        stage, rule = path.relative_to(results / "benchmarks").with_suffix("").parts[:2]
        for job in pd.read_csv(path, sep="\t", na_values="-").to_dict("records"):
            rows.append(
                {"stage": stage, "rule": rule, "seconds": job["s"], "cpu": job["cpu_time"],
                 "memory": job["max_rss"]}
            )  # fmt: skip
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="folder of a finished run")
    parser.add_argument("--stage", default="", help="its rules instead of all stages")
    args = parser.parse_args()
    jobs = read_jobs(args.results)
    if jobs.empty:
        parser.error(f"{args.results}/benchmarks holds no benchmark; name the folder of a run")
    whole = jobs["seconds"].sum()
    some = jobs[jobs["stage"].eq(args.stage)] if args.stage else jobs
    table = some.groupby("rule" if args.stage else "stage", sort=False).agg(
        jobs=("seconds", "size"), seconds=("seconds", "sum"), cpu=("cpu", "sum"),
        peak_mb=("memory", "max"),
    )  # fmt: skip
    table["share"] = table["seconds"] / whole
    print(table.sort_values("seconds", ascending=False).to_string(float_format="{:.3g}".format))
    print(f"all jobs: {whole:.0f} s")


if __name__ == "__main__":
    main()
