#!/usr/bin/env bash
# Make .venv with exactly what envs/requirements.lock names (hash-checked), then leave it alone until the lock changes.
#   ./setup.sh            PYTHON=python3.12 ./setup.sh to choose the interpreter (3.11 or newer)
# uv, itself from PyPI, does the installing (half a minute instead of four); without it, pip does the same.
set -euo pipefail
cd "$(dirname "$0")"
PYTHON=${PYTHON:-python3}
stamp=.venv/.lock-sha256
want=$( { "$PYTHON" -V; cat envs/requirements.lock; } | sha256sum | cut -d' ' -f1)
[[ -f $stamp && $(cat $stamp) == "$want" ]] && exit 0
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
"$PYTHON" -m venv --clear .venv
# indexes that this machine's pip is told to look in as well (a mirror, a folder of wheels): uv does not read pip's settings
extra=$(.venv/bin/python -m pip config get global.extra-index-url 2>/dev/null | tr '\n' ' ' || true)
[[ -z ${extra// } || -n ${UV_INDEX:-} ]] || export UV_INDEX="$extra" UV_INDEX_STRATEGY=unsafe-best-match
if .venv/bin/python -m pip install -q --disable-pip-version-check 'uv>=0.9,<1'; then
  .venv/bin/uv pip install -q --python .venv --require-hashes -r envs/requirements.lock
else
  .venv/bin/python -m pip install -q --require-hashes -r envs/requirements.lock
fi
echo "$want" > $stamp
