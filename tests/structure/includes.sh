#!/usr/bin/env bash
# usage: includes.sh DIR
# Fails when a header under DIR (include/stipple) includes a later layer, or something that its layer must do without.
set -euo pipefail
cd "$1"

# shellcheck disable=SC2016  # the program is awk's
find . -type f \( -name "*.hpp" -o -name "*.inl" \) -printf "%P\n" | LC_ALL=C sort | xargs awk '
  BEGIN {
    count = split("core tensor backend ops autograd nn optim diffusion models io data metrics train", layers, " ")
    for (i = 1; i <= count; ++i) rank[layers[i]] = i
  }
  function layer_of(path,   parts) { return split(path, parts, "/") > 1 ? parts[1] : "stipple.hpp" }
  function complain(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad = 1 }
  FNR == 1 {
    own = layer_of(FILENAME)
    if (own != "stipple.hpp" && !(own in rank)) complain("\"" own "\" is no layer: put it in its place in this test")
  }
  # Also the targets of computed includes: #define NAME <stipple/...>
  /^[ \t]*#/ && match($0, /<stipple\/[^>]+>/) {
    target = layer_of(substr($0, RSTART + 9, RLENGTH - 10))
    if (own != "stipple.hpp" && (target == "stipple.hpp" || rank[target] > rank[own]))
      complain("layer " own " includes the later " target)
  }
  /^[ \t]*#[ \t]*include[ \t]*"/ { complain("write <stipple/...>: a quoted path depends on the including file") }
  /^[ \t]*#[ \t]*include[ \t]*<(iostream|ranges|random|regex)>/ && own != "io" {
    complain("costs too much compile time for a header that everyone includes")
  }
  /^[ \t]*#[ \t]*include[ \t]*<(zlib|png|gif_lib|jpeglib|nlohmann|openssl|stb|Eigen)/ && own != "stipple.hpp" && rank[own] < rank["io"] {
    complain("layer " own " must need nothing but a compiler")
  }
  END { exit bad }'
