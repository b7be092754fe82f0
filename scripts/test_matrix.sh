#!/usr/bin/env bash
# The unit tests once more in the other corner that is supported: the newest xgboost on a newer Python.
#
#   scripts/test_matrix.sh [pytest arguments]      default: all but the docker, slow and notebook tests
#   MATRIX_PYTHON=/path/to/python3.13 scripts/test_matrix.sh
#
# Exit code 3: there is no Python 3.12 or 3.13 here, nothing was tested.
set -euo pipefail
cd "$(dirname "$0")/.."

# A usable Python: newer than 3.11 and with venv. pyenv's stand beside the one that is switched on.
find_python() {
    local candidate
    for candidate in "${MATRIX_PYTHON:-}" python3.13 python3.12 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13.*/bin/python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12.*/bin/python; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 12) <= sys.version_info[:2] <= (3, 13))' \
            2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

if ! python=$(find_python); then
    echo "test-matrix: no Python 3.12 or 3.13 here. Install one (pyenv install 3.13, or apt-get install" >&2
    echo "python3 python3-venv on Debian 13), or name one: MATRIX_PYTHON=/path/to/python3.13" >&2
    exit 3
fi

venv=.venv-matrix
stamp=$venv/installed
wanted="$("$python" --version) $(sha256sum <requirements-matrix.txt)"
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
    echo "*" >"$venv/.gitignore"
    "$venv/bin/pip" install -qq --disable-pip-version-check --only-binary :all: --require-hashes \
        -r requirements-matrix.txt
    echo "$wanted" >"$stamp"
fi
"$venv/bin/python" -c 'import sys, xgboost
print("test-matrix: Python", sys.version.split()[0], "with xgboost", xgboost.__version__)'
[ $# -gt 0 ] || set -- tests -m "not docker and not slow" --ignore tests/docker --ignore tests/house_rules \
    --ignore tests/exp_nbs
exec "$venv/bin/python" -m pytest -q -p no:cacheprovider "$@"
