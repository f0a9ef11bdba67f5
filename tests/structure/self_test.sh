#!/usr/bin/env bash
# Plants violations in a scratch tree and fails unless the tests of the structure report each of them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/include/stipple/{core,nn,ops,backend/cpu,autograd} "$tree"/{tests,benchmarks}/ops

failed=0
reports() {  # reports TEXT COMMAND...: the command fails and prints TEXT
  local text=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "passed, wanted a failure with \"$text\": $*"
    failed=1
  elif [[ $output != *"$text"* ]]; then
    printf 'wanted "%s", given:\n%s\n' "$text" "$output"
    failed=1
  fi
}
plant() { printf '%s\n' "${@:2}" >"$tree/include/stipple/$1"; }
includes=(bash "$here/includes.sh" "$tree/include/stipple")
stems=(bash "$here/stems.sh" "$tree")
headers=(bash "$here/headers.sh" "$tree/include" "${CXX:-c++}")

plant core/a.hpp '#pragma once' '#include <vector>'
plant nn/b.hpp '#pragma once' '#include <stipple/core/a.hpp>'
plant stipple.hpp '#pragma once' '#include <stipple/nn/b.hpp>'
if ! "${includes[@]}" || ! "${headers[@]}"; then
  echo "an orderly tree is refused"
  failed=1
fi

plant core/a.hpp '#pragma once' '#include <stipple/nn/b.hpp>'
reports "core/a.hpp:2: layer core includes the later nn" "${includes[@]}"
plant core/a.hpp '#pragma once' '#define TEXT <stipple/nn/b.hpp>'
reports "layer core includes the later nn" "${includes[@]}"
plant core/a.hpp '#pragma once' '#include <stipple/stipple.hpp>'
reports "includes the later stipple.hpp" "${includes[@]}"
plant core/a.hpp '#pragma once' '#include <iostream>'
reports "compile time" "${includes[@]}"
plant core/a.hpp '#pragma once' '#include <zlib.h>'
reports "nothing but a compiler" "${includes[@]}"

plant core/a.hpp '#pragma once' 'inline std::size_t f() { return 0; }'
reports "stipple/core/a.hpp does not compile alone" "${headers[@]}"
plant core/a.hpp 'inline int f() { return 0; }'
reports "stipple/core/a.hpp does not compile alone" "${headers[@]}"

emits=(bash "$here/emits_nothing.sh" "$tree/include" "${CXX:-c++}")
plant core/a.hpp '#pragma once' 'namespace stipple { inline int f() { return 0; } }'
plant stipple.hpp '#include <stipple/core/a.hpp>'
"${emits[@]}" || { echo "a header without code is refused"; failed=1; }
plant core/a.hpp '#pragma once' 'namespace stipple { int f() { return 0; } }'
reports "given 1 names" "${emits[@]}"
plant core/a.hpp '#pragma once'

plant ops/c.hpp '#pragma once'
plant backend/cpu/c.hpp '#pragma once'
plant autograd/c.hpp '#pragma once'
touch "$tree/tests/ops/c.cpp"
reports "wanted benchmarks/ops/c.cpp" "${stems[@]}"
touch "$tree/benchmarks/ops/c.cpp"
"${stems[@]}" || { echo "a complete stem is refused"; failed=1; }

names=(bash "$here/names.sh" "$tree")
for name in 'low to [0, 1)' 'a;b' 'f(*)' '~x' 'a\\b'; do
  echo "TEST_CASE(\"$name\") {}" >"$tree/tests/ops/c.cpp"
  reports "the names above hold one of" "${names[@]}"
done
echo 'TEST_CASE("Shape: a, b (and c)", "[tag]") {}' >"$tree/tests/ops/c.cpp"
"${names[@]}" || { echo "an orderly name is refused"; failed=1; }

exit $failed
