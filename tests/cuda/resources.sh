#!/usr/bin/env bash
# usage: resources.sh LIBRARY TABLE [FOLDER...]
# Reads the machine code of stipple::cuda with cuobjdump, from PATH or a FOLDER: no kernel may use local memory, which is
# what spilled registers take, and those that take 16 bytes at a time must have the instructions for it. Writes a table
# of all kernels to TABLE: registers, shared memory in bytes without what the launch names, and how many instructions
# read and write 16 bytes of device memory.
set -euo pipefail
library=$1 table=$2
for folder in "${@:3}"; do PATH=$PATH:$folder; done

if [[ ! -f $library ]]; then
  echo "skipped: there is no $library; the target stipple_cuda builds it"
  exit 77
fi
for tool in cuobjdump nvdisasm; do
  if ! command -v $tool > /dev/null; then
    echo "skipped: $tool was not found, wanted it in PATH; \`scripts/get-cuda tools\` fetches it"
    exit 77
  fi
done

# Kernels of which every instance reads and writes 16 bytes at a time, unless its last argument is `false`, which is the
# form for elements that are not aligned.
wide='activate_kernel activate_backward_kernel affine_kernel attention_kernel attention_keys_backward_kernel
attention_queries_backward_kernel avg_pool_kernel avg_pool_backward_kernel copy_columns_kernel
depthwise_pixel_kernel depthwise_row_kernel diffusion_update_kernel input_gradient_kernel layer_norm_kernel
layer_norm_backward_kernel max_pool_kernel max_pool_backward_kernel mix_rows_kernel normalise_kernel resize_kernel
resize_backward_kernel softmax_kernel softmax_backward_kernel spread_kernel'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Lines "architecture kernel registers shared stack local", and "architecture kernel reads writes".
cuobjdump --dump-resource-usage "$library" | awk '
  /^arch = /{arch = $3}
  /Function [^ ]+:$/{name = substr($2, 1, length($2) - 1)}
  /REG:/{
    split("", value)
    for (i = 1; i <= NF; ++i) { split($i, part, ":"); value[part[1]] = part[2] }
    print arch, name, value["REG"], value["SHARED"], value["STACK"], value["LOCAL"]
  }' | sort > "$work/usage"
cuobjdump -sass "$library" | awk '
  /^\t?code for /{arch = $3}
  /Function : /{name = $3; key = arch " " name; reads[key] += 0; writes[key] += 0}
  /LDG\.E(\.EL|\.EF)?\.128|LDGSTS\.E(\.[A-Z]+)*\.128/{++reads[key]}
  /STG\.E(\.EL|\.EF)?\.128/{++writes[key]}
  END{for (key in reads) print key, reads[key], writes[key]}' | sort > "$work/accesses"
awk 'NR == FNR{accesses[$1 " " $2] = $3 " " $4; next} {print $1, $3, $4, accesses[$1 " " $2], $5 + $6, $2}' \
  "$work/accesses" "$work/usage" | c++filt | sed -E 's/(void )?stipple::cuda:://; s/stipple::(cuda::)?//g' > "$work/all"
if [[ ! -s $work/all ]]; then
  echo "$library: no kernel was found in it"
  exit 1
fi
{
  echo "architecture registers shared reads writes local kernel"
  cat "$work/all"
} > "$table"

awk -v wide="$wide" '
  BEGIN{count = split(wide, names); for (i = 1; i <= count; ++i) is_wide[names[i]] = 1}
  {
    kernel = $7
    for (i = 8; i <= NF; ++i) kernel = kernel " " $i
    sub(/\(.*/, "", kernel)
    if ($6 > 0) { print $1 ": " kernel " uses " $6 " bytes of local memory, wanted none"; bad = 1 }
    base = kernel
    sub(/<.*/, "", base)
    seen[base] = 1
    if (is_wide[base] && kernel !~ /false>$/ && ($4 == 0 || $5 == 0)) {
      print $1 ": " kernel " has " $4 " reads and " $5 " writes of 16 bytes, wanted both"
      bad = 1
    }
  }
  END{
    for (name in is_wide) if (!seen[name]) { print name ": no such kernel"; bad = 1 }
    exit bad
  }' "$work/all"
echo "$(wc -l < "$work/all") kernels; $table lists them"
