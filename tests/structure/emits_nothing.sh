#!/usr/bin/env bash
# usage: emits_nothing.sh INCLUDE_DIR COMPILER [FLAGS...]
# A program that includes stipple.hpp and uses none of it has no code of the library's in it: what is emitted anyway
# (functions that are not inline, tables of virtual functions and all that they call) costs every program compile time.
set -euo pipefail
include=$1
shift
object=$(mktemp)
trap 'rm -f "$object"' EXIT

printf '#include <stipple/stipple.hpp>\nint main() {}\n' |
  "$@" -x c++ -std=c++20 -O0 -I "$include" -c - -o "$object"
emitted=$(nm -C --defined-only "$object" | grep 'stipple::' || true)
if [[ -n $emitted ]]; then
  printf 'wanted nothing of stipple in a program that only includes it, given %s names:\n' "$(wc -l <<<"$emitted")"
  head -n 20 <<<"$emitted"
  exit 1
fi
