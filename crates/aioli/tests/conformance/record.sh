#!/usr/bin/env bash
# Records the traces again: runs each script and writes what it prints to traces/. Says which traces were different before,
# and ends with 1 if any was or if a script failed, whose trace is then left as it is.
#
# Usage: record.sh [PYTHON]
# Without PYTHON, the first Python 3.13 that is found.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in python3.13 python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13.*/bin/python3; do
        if [ "$(version_of "$candidate")" = 3.13 ]; then
            echo "$candidate"
            return
        fi
    done
    echo "record.sh: no Python 3.13 found; name one: record.sh PYTHON" >&2
    return 1
}

python=${1:-$(find_python)}
version=$(version_of "$python") || { echo "record.sh: '$python' is no Python" >&2; exit 2; }
[ "$version" = 3.13 ] || echo "record.sh: the traces are those of Python 3.13, and this is $version" >&2

fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
count=0
different=0
for script in "$here"/scripts/*.py; do
    name=$(basename "$script" .py)
    trace=$here/traces/$name.out
    count=$((count + 1))
    if ! "$python" "$script" >"$fresh"; then
        echo "$name: failed"
        different=$((different + 1))
    elif ! cmp -s "$fresh" "$trace"; then
        echo "$name: differs"
        [ ! -e "$trace" ] || diff "$trace" "$fresh" || true
        cp "$fresh" "$trace"
        chmod 644 "$trace"
        different=$((different + 1))
    fi
done
echo "$count scripts on Python $version, $different different"
[ "$different" = 0 ]
