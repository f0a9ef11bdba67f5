#!/usr/bin/env bash
# usage: headers.sh INCLUDE_DIR COMPILER [FLAGS...]
# Compiles every public header alone, and twice in a row, without a warning. Two compilers run at a time.
# for_each_isa.hpp is left out: it repeats a text that the including header names.
set -euo pipefail
include=$1
shift

compile() {
  local header=$1
  shift
  printf '#include <%s>\n#include <%s>\n' "$header" "$header" |
    "$@" -x c++ -std=c++20 -Wall -Wextra -Wpedantic -Werror -fsyntax-only - || {
    echo "$header does not compile alone"
    return 1
  }
}
export -f compile

find "$include/stipple" -name '*.hpp' ! -name for_each_isa.hpp -printf 'stipple/%P\0' | LC_ALL=C sort -z |
  xargs -0 -P 2 -I '{}' bash -c 'compile "$@"' compile '{}' "$@" -I "$include"
