#!/usr/bin/env bash
# usage: names.sh DIR
# The name of a test case holds none of [ ] ; \ * and no leading ~: they mean something to CMake's lists or to Catch's
# filters, and ctest would lose cases without a word.
set -euo pipefail
cd "$1"

if grep -rnE --include='*.cpp' 'TEST_CASE\("(~|[^"]*[][;\\*])[^"]*"' tests; then
  echo 'the names above hold one of [ ] ; \ *'
  exit 1
fi
