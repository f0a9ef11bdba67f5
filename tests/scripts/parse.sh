#!/usr/bin/env bash
# usage: parse.sh DIR
# Every shell script of the clone parses, and satisfies shellcheck where that is installed.
set -euo pipefail
cd "$1"

mapfile -t files < <(grep -rlE '^#!/usr/bin/env bash|^# shellcheck shell=bash' scripts .ci tests benchmarks | LC_ALL=C sort)
((${#files[@]} >= 8))
for file in "${files[@]}"; do bash -n "$file"; done
if command -v shellcheck >/dev/null; then shellcheck -x "${files[@]}"; fi
