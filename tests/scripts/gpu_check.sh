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
cat >"$out" <<'JSON'
{"benchmarks": [{"name": "add<bf16>", "real_time": 5, "bytes_per_second": 2e9},
                {"name": "matmul<bf16>/8", "real_time": 5, "FLOP/s": 3e12},
                {"name": "peak_copy/1", "real_time": 1, "bytes_per_second": 9e9},
                {"name": "peak_copy/4", "real_time": 9, "bytes_per_second": 4e9},
                {"name": "peak_product<bf16>/8", "real_time": 5, "FLOP/s": 4e12},
                {"name": "peak_product<float>/8", "real_time": 5, "FLOP/s": 1e12}]}
JSON
SCRIPT
put "$scratch/programs/test_cudnn_plans" <<<'echo "{\"deviceVer\":900}" && echo "All tests passed (1 assertion)"'
put "$scratch/programs/time_networks_cuda" <<<'exit 1'
programs=(--programs "$scratch/programs")
run() {  # run STATUS ARGUMENTS...
  local wanted=$1 status=0
  shift
  PATH=$scratch/bin:$PATH python3 "$script" ${programs[@]+"${programs[@]}"} --out "$scratch/out" "$@" \
    >"$scratch/said" 2>&1 || status=$?
  [[ $status == "$wanted" ]] || { echo "exit status $status, wanted $wanted:" && cat "$scratch/said" && failed=1; }
}

run 0 --only describe device tests sanitizer operations
expect "All tests passed (7 assertions in 3 test cases)" "$scratch/said"
expect "add<bf16>" "$scratch/said"
expect "2.0 GB/s     0.00 TFLOP/s   50.0% of the peak" "$scratch/said"  # of the copy that is as large
expect "3.00 TFLOP/s   75.0% of the peak" "$scratch/said"
expect '"sanitizer-racecheck"' "$scratch/out/report.json"
expect '"bytes_per_second": 2000000000.0' "$scratch/out/report.json"
expect '"gpu": "NVIDIA H200"' "$scratch/out/report.json"
expect '"architecture": "90"' "$scratch/out/report.json"
expect '"deviceVer": 900' "$scratch/out/report.json"

put "$scratch/programs/test_cuda" <<<'echo "test cases: 3 | 1 failed" && exit 42'
run 1 --only tests sanitizer-memcheck
expect "failed (42)" "$scratch/said"
expect "test cases: 3 | 1 failed" "$scratch/out/report.json"

# What a step leaves running is ended with it, and with the time of all there are no more steps.
put "$scratch/programs/test_cuda" <<<"sleep 60 & echo \$! >'$scratch/child'"
run 0 --only tests
for _ in {1..20}; do kill -0 "$(cat "$scratch/child")" 2>/dev/null || break; sleep 0.1; done
! kill -0 "$(cat "$scratch/child")" 2>/dev/null || { echo "a process of a step goes on" && failed=1; }
put "$scratch/programs/test_cuda" <<<"sleep 60"
run 1 --only tests sanitizer-memcheck --seconds 2
expect "stopped after" "$scratch/said"
expect "not begun: no time was left" "$scratch/said"
# The sanitizers see each tensor by itself.
put "$scratch/programs/test_cuda" <<<"[[ \${STIPPLE_CUDA_EXACT_MEMORY:-} == 1 ]]"
run 0 --only sanitizer
run 1 --only tests

# Packed programs are those of the source, or built anew.
mkdir -p "$scratch/clone/scripts"
cp "$script" "$scratch/clone/scripts/"
script=$scratch/clone/scripts/gpu-check programs=()
put "$scratch/bin/strip" </dev/null
put "$scratch/bin/ldd" </dev/null
put "$scratch/bin/cmake" <<'SCRIPT'
for name in tests/cuda/test_cuda tests/cuda/test_cudnn_plans bin/bench_ops_cuda benchmarks/compare/time_networks_cuda; do
  mkdir -p "build/gpu/${name%/*}" && cp "$(dirname "$0")/../programs/${name##*/}" "build/gpu/$name"
done
SCRIPT
put "$scratch/programs/test_cuda" <<<'echo "1 assertion"'
echo "first" >"$scratch/clone/CMakeLists.txt"
run 0 --prepare
expect "packed in $scratch/clone/build/gpu/carry" "$scratch/said"
run 0 --only tests
! grep -q "built in" "$scratch/said" || { echo "built programs that were packed" && failed=1; }
echo "second" >"$scratch/clone/CMakeLists.txt"
run 0 --only tests
expect "built in" "$scratch/said"
put "$scratch/bin/cmake" <<<'exit 1'
run 1 --only tests
expect "has programs of another source or GPU" "$scratch/said"
programs=(--programs "$scratch/clone/build/gpu/carry")
run 0 --only tests
programs=(--programs "$scratch/nowhere")
run 2
expect "which is no folder" "$scratch/said"
programs=(--programs "$scratch/programs")

put "$scratch/bin/nvidia-smi" <<<'echo "No devices were found" && exit 6'
run 1
expect "no GPU" "$scratch/said"
exit $failed
