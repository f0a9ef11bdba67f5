#!/usr/bin/env bash
# usage: readme.sh DIR
# The program in README.md is examples/digits/main.cpp from its first #include on, to the letter.
set -euo pipefail
cd "$1"

diff <(awk '/^```cpp$/ { inside = 1; next } /^```$/ { inside = 0 } inside' README.md) \
  <(sed -n '/^#include/,$p' examples/digits/main.cpp)
