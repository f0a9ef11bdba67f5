#!/usr/bin/env bash
# usage: get_data.sh SCRIPT
# get-data takes what is right, from a folder and from a file: address, and refuses what is damaged or missing.
set -euo pipefail
script=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

failed=0
wanted() { echo "wanted $*" && failed=1; }
refuses() {  # refuses TEXT COMMAND...: it fails, says TEXT, and leaves no file behind
  local text=$1 output
  shift
  if output=$("$@" 2>&1); then wanted "a failure of: $*"; fi
  [[ $output == *"$text"* ]] || wanted "\"$text\" in: $output"
  [[ -z $(find "$scratch/out" -type f 2>/dev/null) ]] || wanted "nothing left in the folder"
}
four_files() { [[ $(find "$1" -type f -name '*-ubyte' | wc -l) == 4 ]] || wanted "four files in $1"; }

# A public address that refuses at once stands in for the mirrors.
nowhere=http://127.0.0.1:9
mnist_source=$(realpath -m "${STIPPLE_DATA:-$scratch}/mnist")
fashion_source=/usr/share/datasets/fashion-mnist
export STIPPLE_MNIST_URL=$nowhere STIPPLE_FASHION_MNIST_URL=$nowhere STIPPLE_DATA=

refuses "STIPPLE_MNIST_URL=ADDRESS" "$script" mnist --dir "$scratch/out"
refuses "wanted mnist, fashion-mnist, animals64 or mobilenet_v2" "$script" cifar --dir "$scratch/out"
refuses "wants a folder" "$script" mnist --dir

mkdir -p "$scratch/damaged/mnist"
for name in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; do
  echo "not the data" | gzip >"$scratch/damaged/mnist/$name-ubyte.gz"
done
refuses "has not the checksum" env STIPPLE_DATA="$scratch/damaged" "$script" mnist --dir "$scratch/out"
refuses "has not the checksum" env STIPPLE_MNIST_URL="file://$scratch/damaged/mnist" "$script" mnist --dir "$scratch/out"
for file in "$scratch"/damaged/mnist/*; do echo "not packed" >"$file"; done
refuses "is no gzip file" env STIPPLE_DATA="$scratch/damaged" "$script" mnist --dir "$scratch/out"
touch "$scratch/file"
refuses "another" "$script" mnist --dir "$scratch/file"

# Weights of another network, and bytes that are none.
if command -v python3 >/dev/null; then
  weights=$(dirname "$0")/../reference/checkpoints/legacy.pth
  export STIPPLE_MOBILENET_V2_URL=file://$weights
  refuses "has not the checksum" "$script" mobilenet_v2 --dir "$scratch/out"
  refuses "STIPPLE_MOBILENET_V2_URL=ADDRESS" "$script" mobilenet_v2 --dir "$scratch/out"
  STIPPLE_MOBILENET_V2_URL=file://$scratch/file refuses "no PyTorch checkpoint" "$script" mobilenet_v2 --dir "$scratch/out"
  mkdir -p "$scratch/damaged/mobilenet_v2"
  cp "$(dirname "$weights")/wanted.safetensors" "$scratch/damaged/mobilenet_v2/mobilenet_v2.safetensors"
  refuses "has not the checksum" env STIPPLE_DATA="$scratch/damaged" "$script" mobilenet_v2 --dir "$scratch/out"
fi

if [[ -d $fashion_source ]]; then
  [[ $("$script" fashion-mnist --dir "$scratch/fashion") == "$scratch/fashion/fashion-mnist" ]] || wanted "the folder's name"
  four_files "$scratch/fashion/fashion-mnist"
  echo damage >>"$scratch/fashion/fashion-mnist/t10k-labels-idx1-ubyte"
  "$script" fashion-mnist --dir "$scratch/fashion" >/dev/null
  [[ $(stat -c %s "$scratch/fashion/fashion-mnist/t10k-labels-idx1-ubyte") == 10008 ]] || wanted "the damage mended"
fi
if [[ -d $mnist_source ]]; then
  STIPPLE_MNIST_URL=file://$mnist_source "$script" mnist --dir "$scratch/by_address" >/dev/null
  four_files "$scratch/by_address/mnist"
  STIPPLE_DATA=$(dirname "$mnist_source") "$script" mnist --dir "$scratch/by_folder" >/dev/null
  four_files "$scratch/by_folder/mnist"
fi

# animals64 is taken where it is; made, it has what the pictures give, of which the sixth, blue ones belong to test/.
mkdir -p "$scratch/animals/animals64/test"
[[ $("$script" animals64 --dir "$scratch/animals") == "$scratch/animals/animals64" ]] || wanted "the folder that is there"
if python3 -c 'import PIL' 2>/dev/null; then
  make_animals=(python3 "$(dirname "$script")/make-animals64")
  refuses "holds 0 .jpg files" "${make_animals[@]}" --stamps "$scratch" --backgrounds "$scratch" "$scratch/out"
  python3 - "$scratch/pictures" <<'EOF'
import pathlib, sys
from PIL import Image
folder = pathlib.Path(sys.argv[1])
for name in ("mammals", "birds", "fish"):
    (folder / "stamps" / name).mkdir(parents=True)
    for i in range(6):
        image = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
        image.paste((255, 0, 255 if i == 5 else 0, 255), (10, 5, 30, 25))
        image.save(folder / "stamps" / name / f"{i}.png")
for i in range(2):
    Image.new("RGB", (300, 200), (0, 255, 0)).save(folder / f"{i}.jpg")
EOF
  "${make_animals[@]}" --stamps "$scratch/pictures/stamps" --backgrounds "$scratch/pictures" --per-class 10 \
    --test-per-class 4 --size 16 "$scratch/made" >/dev/null
  python3 - "$scratch/made" <<'EOF' || wanted "30 images without blue and 12 with"
import pathlib, sys
from PIL import Image
for part, count in (("train", 30), ("test", 12)):
    paths = list(pathlib.Path(sys.argv[1], part).rglob("*.png"))
    assert len(paths) == count, paths
    for path in paths:
        image = Image.open(path)
        blue = max(image.getchannel("B").tobytes())
        assert image.size == (16, 16) and (blue > 128) == (part == "test"), (path, blue)
EOF
fi
exit $failed
