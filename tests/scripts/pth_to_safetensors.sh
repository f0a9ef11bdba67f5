#!/usr/bin/env bash
# usage: pth_to_safetensors.sh SCRIPT REFERENCE_DIR
# pth-to-safetensors reads both formats of PyTorch's checkpoints, and refuses what is damaged or would run something.
# Exits with 77 where there is no Python.
set -euo pipefail
script=$1 reference=$2
command -v python3 >/dev/null || exit 77
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

failed=0
wanted() { echo "wanted $*" && failed=1; }
refuses() {  # refuses TEXT FILE: the script fails, says TEXT, and writes nothing
  local output
  if output=$("$script" "$2" "$scratch/out" 2>&1); then wanted "a failure for $2"; fi
  [[ $output == *"$1"* && $output != *Traceback* ]] || wanted "\"$1\" in: $output"
  [[ ! -e $scratch/out && ! -e $scratch/out.partial ]] || wanted "no file for $2"
}

for name in legacy.pth zip.ckpt; do
  "$script" "$reference/$name" "$scratch/$name.safetensors"
  cmp "$scratch/$name.safetensors" "$reference/wanted.safetensors" || wanted "the bytes of wanted.safetensors from $name"
done

python3 - "$scratch" <<'PYTHON'
import os, pathlib, pickle, sys, zipfile
folder = pathlib.Path(sys.argv[1])
class Runs:
    def __reduce__(self):
        return os.mkdir, (str(folder / "ran"),)
payload = pickle.dumps({"state_dict": Runs()}, protocol=2)
(folder / "runs.pth").write_bytes(payload)
with zipfile.ZipFile(folder / "runs.ckpt", "w") as archive:
    archive.writestr("archive/data.pkl", payload)
with zipfile.ZipFile(folder / "other.zip", "w") as archive:
    archive.writestr("readme", "text")
(folder / "number.pth").write_bytes(pickle.dumps(5))
PYTHON
refuses "wanted tensors and plain values alone" "$scratch/runs.pth"
refuses "wanted tensors and plain values alone" "$scratch/runs.ckpt"
[[ ! -e $scratch/ran ]] || wanted "nothing run"
refuses "a zip archive without data.pkl" "$scratch/other.zip"
refuses "no PyTorch checkpoint" "$scratch/number.pth"
refuses "No such file" "$scratch/missing.pth"
size=$(stat -c %s "$reference/legacy.pth")
for bytes in 0 10 40 500 $((size - 100)) $((size - 1)); do
  head -c "$bytes" "$reference/legacy.pth" >"$scratch/short.pth"
  refuses "short.pth: " "$scratch/short.pth"
done
if "$script" "$reference/legacy.pth" 2>/dev/null; then wanted "a failure without an output"; fi
[[ $("$script" --help) == *"usage: "* ]] || wanted "help"
exit $failed
