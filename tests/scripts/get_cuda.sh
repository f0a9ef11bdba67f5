#!/usr/bin/env bash
# usage: get_cuda.sh SCRIPT
# get-cuda with a python3 that lays out packages as PyPI's are, and fetches nothing.
set -euo pipefail
script=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
check() {  # check SENTENCE COMMAND...
  "${@:2}" >/dev/null 2>&1 || { echo "failed: $1" && failed=1; }
}
refuses() {  # refuses TEXT ARGUMENTS...: the script fails and says TEXT
  local text=$1 output
  shift
  if output=$("$script" "$@" 2>&1); then
    echo "passed, wanted a failure with \"$text\": $*" && failed=1
  elif [[ $output != *"$text"* ]]; then
    printf 'wanted "%s", given:\n%s\n' "$text" "$output" && failed=1
  fi
}

mkdir "$scratch/bin"
cat >"$scratch/bin/python3" <<'PYTHON'
#!/usr/bin/env bash
[[ $* == *--version* ]] && exit 0
[[ -z ${NO_NETWORK:-} ]] || exit 1
echo "$*" >>"$CALLS"
while [[ $1 != --target ]]; do shift; done
case $3 in
  nvidia-cudnn-frontend==*) mkdir -p "$2/include" && touch "$2/include/cudnn_frontend.h" ;;
  nvidia-cudnn-cu13==*)
    mkdir -p "$2"/nvidia/cudnn/{include,lib}
    touch "$2/nvidia/cudnn/include/cudnn.h" "$2/nvidia/cudnn/lib/libcudnn.so.9"
    ;;
  nvidia-cuda-cuobjdump==*)
    [[ $4 == nvidia-cuda-nvdisasm==* ]] && mkdir -p "$2/nvidia/cu13/bin" && touch "$2"/nvidia/cu13/bin/{cuobjdump,nvdisasm}
    ;;
  cuda-toolkit*) mkdir -p "$2"/nvidia/cu13/{bin,lib} && touch "$2"/nvidia/cu13/{bin/nvcc,lib/libcublasLt.so.13} ;;
esac
PYTHON
chmod +x "$scratch/bin/python3"
export PATH=$scratch/bin:$PATH CALLS=$scratch/calls

refuses 'given "nonsense", wanted toolkit, cudnn, frontend or tools' nonsense
refuses '--dir wants a folder' --dir
NO_NETWORK=1 refuses 'pip could not fetch nvidia-cudnn-frontend' --dir "$scratch/none" frontend
check 'nothing half-done is left' [ -z "$(ls -A "$scratch/none")" ]

dir=$scratch/cuda
check 'it succeeds' "$script" --dir "$dir"
check 'the toolkit is in its place' [ -x "$dir/bin/nvcc" ]
check 'cuDNN is in its place' [ -f "$dir/include/cudnn.h" ]
check 'the headers are in their place' [ -f "$dir/include/cudnn_frontend.h" ]
check 'the tools can be run' [ -x "$dir/bin/cuobjdump" -a -x "$dir/bin/nvdisasm" ]
check 'libraries have names without a version' [ -e "$dir/lib/libcudnn.so" ]
check 'lib64 is lib' [ -e "$dir/lib64/libcublasLt.so" ]
check 'it says where' [ "$("$script" --dir "$dir")" = "$dir" ]
check 'what is there is not fetched again' [ "$(wc -l <"$CALLS")" = 4 ]
exit $failed
