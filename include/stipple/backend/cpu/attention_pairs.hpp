// Attention in bf16 whose products are of bf16 pairs, in AMX tiles or by dot instructions: FlashAttention-2 (Dao 2023,
// algorithms 1 and 2). As there, probabilities and gradients of logits are rounded before they are multiplied.
#pragma once

#include <algorithm>
#include <limits>

#include <stipple/backend/attention_shape.hpp>
#include <stipple/backend/cpu/pair_product.hpp>

#if STIPPLE_DEFINE_KERNELS

namespace stipple::cpu {

/// Products below which attention is not shared among threads.
inline constexpr Index attention_grain = 256 * 1024;

/// Terms of products and rows that are added to come in whole tiles of 32 numbers.
inline constexpr Index whole_tiles(Index n) { return (n + 2 * amx_depth - 1) / (2 * amx_depth) * (2 * amx_depth); }

/// Part of the logits of one head. Rows of logits, gradients, probabilities start `row` numbers apart.
struct LogitTile {
  Index first_query, queries, first_key, keys, row;
  bool causal;

  /// Keys of the tile that its query i sees.
  Index visible_keys(Index i) const {
    return causal ? std::clamp<Index>(first_query + i + 1 - first_key, 0, keys) : keys;
  }
  /// Queries of the tile that don't see its key j: the first ones.
  Index blind_queries(Index j) const { return causal ? std::clamp<Index>(first_key + j - first_query, 0, queries) : 0; }
};

/// True if bf16 attention of these sizes is done in pairs. Sums over a head take whole tiles.
inline bool uses_attention_pairs(const AttentionShape& s) {
  return s.dim % (2 * amx_depth) == 0 && (uses_pairs<bf16>() || has_amx());
}

}  // namespace stipple::cpu

#define STIPPLE_KERNEL_TEXT_BF16
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/attention_pairs.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

inline constexpr Index pair_queries = 64, pair_keys = 256;                    // of a tile, forward
inline constexpr Index pair_queries_backward = 128, pair_keys_backward = 64;  // and backward

// The head of a sample within an operand of so many rows a sample.
template <class T>
T* head_of(const AttentionRows<T>& rows, const AttentionShape& s, Index positions, Index unit) {
  return rows.data + unit / s.heads * positions * rows.stride + unit % s.heads * s.dim;
}

inline void attention_pairs(AttentionRows<const bf16> q, AttentionRows<const bf16> k, AttentionRows<const bf16> v,
                            AttentionRows<bf16> y, float* statistics, const AttentionShape& s) {
  Index const heads = s.samples * s.heads, units = s.dim / 2, panels = s.dim / panel_width;
  Index const blocks = (s.keys + pair_keys - 1) / pair_keys, tiles = (s.queries + pair_queries - 1) / pair_queries;
  Index const packed = whole_tiles(s.keys) * units, packed_block = pair_keys * units;  // of one head, of a key block
  Scratch<Pair> const keys(heads * packed), values(heads * packed);
  parallel_for(heads * blocks, std::max<Index>(1, 64 * 1024 / packed_block), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      Index const unit = i / blocks, block = i % blocks, first = block * pair_keys;
      Index const count = std::min(pair_keys, s.keys - first), at = unit * packed + block * packed_block;
      STIPPLE_CPU_DISPATCH_PAIRS(pack_whole_panels(head_of(k, s, s.keys, unit) + first * k.stride, s.dim, count, 1,
                                                   k.stride, keys.data() + at, units));
      STIPPLE_CPU_DISPATCH_PAIRS(pack_whole_panels(head_of(v, s, s.keys, unit) + first * v.stride, count, s.dim,
                                                   v.stride, 1, values.data() + at, whole_tiles(count) / 2));
    }
  });
  Index const cost = 2 * std::min(s.queries, pair_queries) * s.keys * s.dim;
  parallel_for(heads * tiles, std::max<Index>(1, attention_grain / cost), [&](Index begin, Index end) {
    Scratch<float> const logits(pair_queries * pair_keys), result(pair_queries * s.dim);
    Scratch<bf16> const p(pair_queries * pair_keys, true);
    for (Index i = begin; i < end; ++i) {
      Index const unit = i / tiles, first = i % tiles * pair_queries, count = std::min(pair_queries, s.queries - first);
      float* const most = statistics + unit * 2 * s.queries + first;
      float* const total = most + s.queries;
      std::fill_n(most, count, -std::numeric_limits<float>::infinity());
      std::fill_n(total, count, 0.0f);
      std::fill_n(result.data(), pair_queries * s.dim, 0.0f);
      Index const seen = s.causal ? std::min(first + count, s.keys) : s.keys;
      for (Index key = 0; key < seen; key += pair_keys) {
        LogitTile const tile{first, count, key, std::min(pair_keys, s.keys - key), pair_keys, s.causal};
        Index const at = unit * packed + key * units, terms = whole_tiles(tile.keys) / 2;
        pair_product({head_of(q, s, s.queries, unit) + first * q.stride, q.stride, keys.data() + at,
                      units * panel_width, logits.data(), pair_keys, count, tile.keys, units, Into::overwrite});
        STIPPLE_CPU_DISPATCH_PAIRS(softmax_rows(tile, static_cast<float>(s.scale), logits.data(), p.data(), most, total,
                                                result.data(), s.dim));
        pair_product({p.data(), pair_keys, values.data() + at, terms * panel_width, result.data(), s.dim,
                      whole_tiles(count), panels * panel_width, terms, Into::add});
      }
      STIPPLE_CPU_DISPATCH_PAIRS(finish_attention_rows(result.data(), total, count, s.dim,
                                                       head_of(y, s, s.queries, unit) + first * y.stride, y.stride));
    }
  });
}

// What the backward pass keeps of one tile of queries: q and dy packed for sums over channels and for sums over
// queries, the gradient of q so far, and the statistics.
struct PairQueries {
  Pair *q, *dy, *q_terms, *dy_terms;
  float *dq, *most, *inverse, *dot;

  static Index size(Index dim) { return pair_queries_backward * (3 * dim + 3); }
  PairQueries(float* at, Index dim) {
    Index const pairs = pair_queries_backward * dim / 2;
    Pair* const packed = reinterpret_cast<Pair*>(at);
    q = packed, dy = q + pairs, q_terms = dy + pairs, dy_terms = q_terms + pairs;
    dq = at + 4 * pairs;
    most = dq + 2 * pairs, inverse = most + pair_queries_backward, dot = inverse + pair_queries_backward;
  }
};

inline void attention_pairs_backward(AttentionRows<const bf16> q, AttentionRows<const bf16> k,
                                     AttentionRows<const bf16> v, AttentionRows<const bf16> y, const bf16* dy,
                                     const float* statistics, bf16* dq, bf16* dk, bf16* dv, const AttentionShape& s) {
  constexpr Index row = pair_queries_backward, side = pair_keys_backward;
  Index const dim = s.dim, units = dim / 2, tiles = (s.queries + row - 1) / row;
  auto const scale = static_cast<float>(s.scale);
  AttentionRows<const bf16> const dy_rows{dy, y.stride};
  Index const cost = 5 * s.queries * s.keys * dim;
  parallel_for(s.samples * s.heads, std::max<Index>(1, attention_grain / cost), [&](Index begin, Index end) {
    Scratch<float> const queries(tiles * PairQueries::size(dim)), logits(side * row), gradients(side * row);
    Scratch<float> const dk_sum(side * dim), dv_sum(side * dim);
    Scratch<Pair> const key_terms(side * units);
    Scratch<bf16> const p(side * row), ds(side * row), turned(row * side, true);
    for (Index unit = begin; unit < end; ++unit) {
      auto const tile_of = [&](Index t) { return PairQueries(queries.data() + t * PairQueries::size(dim), dim); };
      const bf16* const q_head = head_of(q, s, s.queries, unit);
      const bf16* const dy_head = head_of(dy_rows, s, s.queries, unit);
      const bf16* const k_head = head_of(k, s, s.keys, unit);
      const bf16* const v_head = head_of(v, s, s.keys, unit);
      for (Index t = 0; t < tiles; ++t) {
        PairQueries const tile = tile_of(t);
        Index const first = t * row, count = std::min(row, s.queries - first), terms = whole_tiles(count) / 2;
        const bf16* const q_first = q_head + first * q.stride;
        const bf16* const dy_first = dy_head + first * y.stride;
        STIPPLE_CPU_DISPATCH_PAIRS(pack_whole_panels(q_first, dim, count, 1, q.stride, tile.q, units));
        STIPPLE_CPU_DISPATCH_PAIRS(pack_whole_panels(dy_first, dim, count, 1, y.stride, tile.dy, units));
        STIPPLE_CPU_DISPATCH_PAIRS(pack_whole_panels(q_first, count, dim, q.stride, 1, tile.q_terms, terms));
        STIPPLE_CPU_DISPATCH_PAIRS(pack_whole_panels(dy_first, count, dim, y.stride, 1, tile.dy_terms, terms));
        STIPPLE_CPU_DISPATCH_PAIRS(attention_dots(head_of(y, s, s.queries, unit) + first * y.stride, dy_first, y.stride,
                                                  count, dim, tile.dot));
        const float* const largest = statistics + unit * 2 * s.queries + first;
        std::copy_n(largest, count, tile.most);
        std::copy_n(largest + s.queries, count, tile.inverse);
        for (float* const numbers : {tile.most, tile.inverse, tile.dot})
          std::fill(numbers + count, numbers + row, 0.0f);
        std::fill_n(tile.dq, row * dim, 0.0f);
      }
      for (Index key = 0; key < s.keys; key += side) {
        Index const keys = std::min(side, s.keys - key), terms = whole_tiles(keys) / 2;
        const bf16* const k_first = k_head + key * k.stride;
        const bf16* const v_first = v_head + key * v.stride;
        STIPPLE_CPU_DISPATCH_PAIRS(pack_whole_panels(k_first, keys, dim, k.stride, 1, key_terms.data(), terms));
        std::fill_n(dk_sum.data(), side * dim, 0.0f);
        std::fill_n(dv_sum.data(), side * dim, 0.0f);
        for (Index t = s.causal ? key / row : 0; t < tiles; ++t) {
          PairQueries const tile = tile_of(t);
          LogitTile const part{t * row, std::min(row, s.queries - t * row), key, keys, row, s.causal};
          Index const query_terms = whole_tiles(part.queries) / 2, panel = units * panel_width;
          pair_product(
              {k_first, k.stride, tile.q, panel, logits.data(), row, keys, part.queries, units, Into::overwrite});
          pair_product(
              {v_first, v.stride, tile.dy, panel, gradients.data(), row, keys, part.queries, units, Into::overwrite});
          STIPPLE_CPU_DISPATCH_PAIRS(logit_gradient_rows(part, scale, logits.data(), gradients.data(), tile.most,
                                                         tile.inverse, tile.dot, p.data(), ds.data()));
          STIPPLE_CPU_DISPATCH_PAIRS(transpose(ds.data(), row, 2 * terms, 2 * query_terms, turned.data(), side));
          pair_product({p.data(), row, tile.dy_terms, query_terms * panel_width, dv_sum.data(), dim, 2 * terms, dim,
                        query_terms, Into::add});
          pair_product({ds.data(), row, tile.q_terms, query_terms * panel_width, dk_sum.data(), dim, 2 * terms, dim,
                        query_terms, Into::add});
          pair_product({turned.data(), side, key_terms.data(), terms * panel_width, tile.dq, dim, 2 * query_terms, dim,
                        terms, Into::add});
        }
        bf16* const dk_head = dk + (k_first - k.data);
        bf16* const dv_head = dv + (v_first - v.data);
        STIPPLE_CPU_DISPATCH_PAIRS(unpack_rows(dk_sum.data(), k.stride, keys, dim, scale, dk_head));
        STIPPLE_CPU_DISPATCH_PAIRS(unpack_rows(dv_sum.data(), v.stride, keys, dim, 1.0f, dv_head));
      }
      for (Index t = 0; t < tiles; ++t) {
        Index const first = t * row;
        STIPPLE_CPU_DISPATCH_PAIRS(unpack_rows(tile_of(t).dq, q.stride, std::min(row, s.queries - first), dim, scale,
                                               dq + (q_head - q.data) + first * q.stride));
      }
    }
  });
}

}  // namespace stipple::cpu

#endif
