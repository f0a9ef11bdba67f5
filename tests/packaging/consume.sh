#!/usr/bin/env bash
# usage: consume.sh HOW SCRATCH_DIR SOURCE_DIR CMAKE GENERATOR COMPILER FLAGS
# Builds and runs a program outside the library's tree, in one of the ways a user might. HOW is a folder beside this
# script (a CMake project), or pkg_config, or bare_compiler. SCRATCH_DIR/prefix holds the installed library.
set -euo pipefail
how=$1 scratch=$2 source=$3 cmake=$4 generator=$5 compiler=$6
read -ra flags <<<"${7:-}"
here=$(cd "$(dirname "$0")" && pwd)
build=$scratch/$how
rm -rf "$build"
mkdir -p "$build"

case $how in
  pkg_config)
    export PKG_CONFIG_PATH
    PKG_CONFIG_PATH=$(dirname "$(find "$scratch/prefix" -name stipple.pc)")
    read -ra package <<<"$(pkg-config --cflags --libs 'stipple >= 0.1')"
    "$compiler" -std=c++20 "${flags[@]}" "$here/main.cpp" "${package[@]}" -o "$build/consumer"
    ;;
  bare_compiler)
    "$compiler" -std=c++20 "${flags[@]}" -I "$source/include" "$here/training.cpp" -o "$build/consumer"
    ;;
  *)
    "$cmake" -G "$generator" -S "$here/$how" -B "$build" -D CMAKE_CXX_COMPILER="$compiler" -D CMAKE_CXX_FLAGS="${flags[*]}" \
      -D CMAKE_PREFIX_PATH="$scratch/prefix" -D STIPPLE_SOURCE="$source"
    "$cmake" --build "$build" --target consumer
    ;;
esac

(cd "$build" && ./consumer)
echo "$how: the program ran and found the right values"
