#!/usr/bin/env bash
# usage: relocatable.sh PREFIX
# Fails where what is installed for CMake and pkg-config names a place of the machine that built it.
set -euo pipefail
prefix=$1
files=(--include='*.cmake' --include='*.pc')

if ! grep -rq "${files[@]}" . "$prefix"; then
  echo "$prefix: wanted files for CMake and pkg-config, given none"
  exit 1
fi
if grep -rnE "${files[@]}" '(^|[][()":;>=, ])/[^"; ]' "$prefix"; then
  echo "the lines above name absolute paths"
  exit 1
fi
