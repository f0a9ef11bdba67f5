#!/usr/bin/env bash
# usage: needed.sh READELF PROGRAM...
# Fails where a program needs a library of CUDA's to start: they are loaded when a GPU first needs them.
set -euo pipefail
readelf=$1
shift

bad=0
for program in "$@"; do
  needed=$("$readelf" --dynamic --wide "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p')
  if ! grep -q '^libc\.' <<<"$needed"; then
    echo "$program: wanted a program that needs at least libc, given: $needed"
    bad=1
  fi
  if found=$(grep -E '^lib(cu|nv)' <<<"$needed"); then
    echo "$program needs $found, wanted none of CUDA's libraries"
    bad=1
  fi
done
exit $bad
