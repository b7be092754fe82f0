#!/bin/sh
# Makes .venv (once) and brings it to a lock file: venv.sh LOCK
# Plain sh, because nothing else is sure to be there yet.
set -eu
lock=$1

say() { printf '  %-12s%s\n' set-up "$1"; }
fail() { printf 'canarywood: %s\n' "$1" >&2; exit 1; }

fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if fits "$candidate"; then echo "$candidate"; return; fi
    done
    fail "${PYTHON:-python3} is no Python 3.11, 3.12 or 3.13; name one: make run PYTHON=/path/to/python3"
}

# Debian keeps the module that puts pip into a venv in a package of its own.
need_ensurepip() {
    "$1" -c 'import ensurepip' 2>/dev/null && return
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    command -v apt-get >/dev/null ||
        fail "$1 cannot make virtual environments (no module ensurepip); install it and try again"
    [ "$(id -u)" = 0 ] || fail "$package is missing; install it: sudo apt-get install $package"
    say "installing $package with apt-get, as $1 cannot make virtual environments without it"
    { apt-get install -qy --no-install-recommends "$package" ||
        { apt-get update -q && apt-get install -qy --no-install-recommends "$package"; }
    } >/dev/null 2>"$errors" || { cat "$errors" >&2; fail "apt-get install $package failed"; }
}

errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
if ! fits .venv/bin/python; then
    python=$(find_python)
    need_ensurepip "$python"
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi
say "installing the packages of $lock (once; up to a minute)"
.venv/bin/python -m pip install -qq --disable-pip-version-check --no-input \
    --require-hashes --requirement "$lock"
