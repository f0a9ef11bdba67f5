# shellcheck shell=bash
# What the scripts share; sourced from the top of the clone.

# Compilers to run at a time: one a processor, and no more than memory allows at 2 GiB each.
build_jobs() {
  local processors memory
  processors=$(nproc)
  memory=$(awk '/^MemAvailable/ { print int($2 / 2097152) }' /proc/meminfo)
  local jobs=$((memory < processors ? memory : processors))
  echo $((jobs < 1 ? 1 : jobs))
}

# configure PRESET [FLAGS...]: quiet unless it fails; uses ccache where it is installed.
configure() {
  local preset=$1 log=build/$1.configure.log
  shift
  mkdir -p build
  if command -v ccache >/dev/null; then set -- "$@" -D CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
  cmake --preset "$preset" "$@" >"$log" 2>&1 || {
    cat "$log" >&2
    return 1
  }
}

# compile PRESET [TARGET...]
compile() {
  local preset=$1
  shift
  cmake --build --preset "$preset" --parallel "$(build_jobs)" ${1:+--target "$@"}
}
