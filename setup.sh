#!/usr/bin/env bash
# Make .venv with exactly what envs/requirements.lock names (hash-checked), then leave it alone until the lock changes.
#   ./setup.sh            PYTHON=python3.12 ./setup.sh to choose the interpreter (3.11 or newer)
# uv, itself from PyPI, does the installing (half a minute instead of four); without it, pip does the same.
# Snakemake starts its Python unquoted. In a checkout whose path a shell would quote (a space), .venv is a link to a
# folder in the user's cache whose path needs no quotes; VERBATIM_VENVS names another place for it.
set -euo pipefail
cd "$(dirname "$0")"
PYTHON=${PYTHON:-python3}
plain() { [[ $(printf %q "$1") == "$1" ]]; }
want=$( { "$PYTHON" -V; cat envs/requirements.lock; } | sha256sum | cut -d' ' -f1)
# whole, of this lock, where its own scripts say that it is (a checkout may have been moved), and startable
if [[ -f .venv/.lock-sha256 && $(cat .venv/.lock-sha256) == "$want" ]]; then
  real=$(readlink -f .venv)
  plain "$real" && head -n 3 .venv/bin/snakemake 2>/dev/null | grep -qF "$real/bin/python" && exit 0
fi
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
place=$(pwd -P)/.venv
if ! plain "$place"; then
  cache=${VERBATIM_VENVS:-${XDG_CACHE_HOME:-$HOME/.cache}/verbatim}
  if ! mkdir -p "$cache" 2>/dev/null || [[ ! -w $cache ]] || ! plain "$(readlink -f "$cache")"; then
    echo "setup.sh: the path $PWD needs quotes in a shell, with which Snakemake cannot start its Python from here, and" \
      "$cache cannot hold .venv instead: set VERBATIM_VENVS to a folder that you may write, without spaces in its path," \
      "or move this checkout to such a path." >&2
    exit 1
  fi
  place=$(readlink -f "$cache")/venv-${want:0:16}
fi
if [[ -L .venv ]]; then rm .venv; fi # whatever it leads to may be another checkout's
if [[ $place != "$(pwd -P)/.venv" ]]; then
  rm -rf .venv
  ln -s "$place" .venv
  if [[ -f $place/.lock-sha256 && $(cat "$place/.lock-sha256") == "$want" ]]; then exit 0; fi # another checkout's too
fi
"$PYTHON" -m venv --clear "$place"
# indexes that this machine's pip is told to look in as well (a mirror, a folder of wheels): uv does not read pip's settings
extra=$("$place/bin/python" -m pip config get global.extra-index-url 2>/dev/null | tr '\n' ' ' || true)
[[ -z ${extra// } || -n ${UV_INDEX:-} ]] || export UV_INDEX="$extra" UV_INDEX_STRATEGY=unsafe-best-match
if "$place/bin/python" -m pip install -q --disable-pip-version-check 'uv>=0.9,<1'; then
  "$place/bin/uv" pip install -q --python "$place/bin/python" --require-hashes -r envs/requirements.lock
else
  "$place/bin/python" -m pip install -q --require-hashes -r envs/requirements.lock
fi
echo "$want" > "$place/.lock-sha256"
