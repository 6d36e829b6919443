#!/usr/bin/env bash
# Cancel the SLURM jobs that a killed snakemake left behind, and wait until they are gone.
#   workflow/profiles/slurm/cancel_jobs.sh [PREFIX]      in the folder that the run was started in
# They go on without snakemake, and a new run would write the same files beside them. Only jobs of this user, of
# this folder and of this name (slurm-jobname-prefix of config.yaml) are touched.
set -euo pipefail
config=$(dirname "$(realpath "$0")")/config.yaml
prefix=${1:-$(sed -n 's/^slurm-jobname-prefix: *//p' "$config")}
[[ -n $prefix ]] || { echo "$config names no slurm-jobname-prefix, and none was given" >&2; exit 2; }
command -v squeue >/dev/null || { echo "no squeue here, so no SLURM jobs to cancel"; exit 0; }

left() {
  squeue --noheader --user "$(id -un)" --states pending,running,completing,suspended --format '%i|%j|%Z' |
    awk -F'|' -v prefix="${prefix}_" -v folder="$(pwd -P)" 'index($2, prefix) == 1 && $3 == folder {print $1}'
}
declare -A seen=()
quiet=0
# gone means gone twice: an sbatch that was under way when snakemake was killed may still arrive
for _ in {1..150}; do
  mapfile -t jobs < <(left)
  if ((${#jobs[@]} == 0)); then
    quiet=$((quiet + 1))
    if ((quiet == 2)); then
      echo "cancelled ${#seen[@]} SLURM jobs of $prefix in $(pwd -P); none is left"
      exit 0
    fi
  else
    quiet=0
    for job in "${jobs[@]}"; do
      [[ -n ${seen[$job]:-} ]] || scancel "$job"
      seen[$job]=1
    done
  fi
  sleep 2
done
echo "these jobs do not end: $(left | tr '\n' ' ')" >&2
exit 1
