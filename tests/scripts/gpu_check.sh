#!/usr/bin/env bash
# usage: gpu_check.sh SCRIPT
# gpu-check with programs that stand for those of a GPU.
set -euo pipefail
script=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
expect() {  # expect TEXT FILE
  grep -qF -- "$1" "$2" || { printf 'wanted "%s" in %s:\n' "$1" "$2" && cat "$2" && failed=1; }
}

mkdir "$scratch/bin" "$scratch/programs"
put() {  # put FILE: an executable script, from standard input
  { echo '#!/usr/bin/env bash' && cat; } >"$1"
  chmod +x "$1"
}
put "$scratch/bin/nvidia-smi" <<<'echo "NVIDIA H200, 9.0"'
put "$scratch/bin/compute-sanitizer" <<'SCRIPT'
echo "ERROR SUMMARY: 0 errors"
exec "${@: -2}"
SCRIPT
put "$scratch/programs/test_cuda" <<<'echo "All tests passed (7 assertions in 3 test cases)"'
put "$scratch/programs/bench_ops_cuda" <<'SCRIPT'
for word in "$@"; do [[ $word != --benchmark_out=* ]] || out=${word#*=}; done
echo '{"benchmarks": [{"name": "add<bf16>", "real_time": 5, "bytes_per_second": 2e9}]}' >"$out"
SCRIPT
put "$scratch/programs/time_networks_cuda" <<<'exit 1'
run() {  # run STATUS ARGUMENTS...
  local wanted=$1 status=0
  shift
  PATH=$scratch/bin:$PATH python3 "$script" --programs "$scratch/programs" --out "$scratch/out" "$@" >"$scratch/said" 2>&1 ||
    status=$?
  [[ $status == "$wanted" ]] || { echo "exit status $status, wanted $wanted:" && cat "$scratch/said" && failed=1; }
}

run 0 --only describe tests sanitizer operations
expect "All tests passed (7 assertions in 3 test cases)" "$scratch/said"
expect "add<bf16>" "$scratch/said"
expect "2.0 GB/s" "$scratch/said"
expect '"sanitizer-racecheck"' "$scratch/out/report.json"
expect '"bytes_per_second": 2000000000.0' "$scratch/out/report.json"
expect '"gpu": "NVIDIA H200"' "$scratch/out/report.json"
expect '"architecture": "90"' "$scratch/out/report.json"

put "$scratch/programs/test_cuda" <<<'echo "test cases: 3 | 1 failed" && exit 42'
run 1 --only tests sanitizer-memcheck
expect "failed (42)" "$scratch/said"
expect "test cases: 3 | 1 failed" "$scratch/out/report.json"

put "$scratch/bin/nvidia-smi" <<<'echo "No devices were found" && exit 6'
run 1
expect "no GPU" "$scratch/said"
exit $failed
