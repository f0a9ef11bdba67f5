#!/usr/bin/env bash
# usage: stems.sh DIR
# One stem, every place: an operation ops/<stem>.hpp has its kernel, gradient, test and benchmark under the same name.
set -euo pipefail
cd "$1"

bad=0
for header in include/stipple/ops/*.hpp; do
  stem=$(basename "$header" .hpp)
  for place in "include/stipple/backend/cpu/$stem.hpp" "include/stipple/autograd/$stem.hpp" "tests/ops/$stem.cpp" \
               "benchmarks/ops/$stem.cpp"; do
    if [[ ! -f $place ]]; then
      echo "$header: wanted $place beside it"
      bad=1
    fi
  done
done
exit $bad
