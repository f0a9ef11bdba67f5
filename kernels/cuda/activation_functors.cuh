// The activations as functors: `value` and `derivative` at x. Finite inputs of any size give finite results.
#pragma once

#include <cmath>

#include <stipple/core/activation.hpp>

#include "device.cuh"

namespace stipple::cuda {

// The smaller of x and `bound`, and the larger; a NaN in x stays one.
__device__ __forceinline__ float at_most(float x, float bound) { return x > bound ? bound : x; }
__device__ __forceinline__ float at_least(float x, float bound) { return x < bound ? bound : x; }

// s(x) and 1 - s(x), both without cancellation. Below -87 e^-x would overflow.
struct SigmoidParts {
  float value, complement;
  __device__ __forceinline__ explicit SigmoidParts(float x) {
    float const e = expf(-at_least(x, -87.0f));
    value = 1.0f / (1.0f + e);
    complement = e * value;
  }
};

struct Identity {
  static __device__ __forceinline__ float value(float x) { return x; }
  static __device__ __forceinline__ float derivative(float) { return 1.0f; }
};

struct Relu {
  static __device__ __forceinline__ float value(float x) { return at_least(x, 0.0f); }
  static __device__ __forceinline__ float derivative(float x) { return x > 0.0f ? 1.0f : 0.0f; }
};

struct Relu6 {
  static __device__ __forceinline__ float value(float x) { return at_most(at_least(x, 0.0f), 6.0f); }
  static __device__ __forceinline__ float derivative(float x) { return x > 0.0f && x < 6.0f ? 1.0f : 0.0f; }
};

struct Sigmoid {
  static __device__ __forceinline__ float value(float x) { return SigmoidParts(x).value; }
  static __device__ __forceinline__ float derivative(float x) {
    SigmoidParts const s(x);
    return s.value * s.complement;
  }
};

struct Silu {
  static __device__ __forceinline__ float value(float x) { return x / (1.0f + expf(-x)); }
  // s + x s (1 - s)
  static __device__ __forceinline__ float derivative(float x) {
    SigmoidParts const s(x);
    return fmaf(at_least(x, -87.0f) * s.value, s.complement, s.value);
  }
};

struct Tanh {
  static __device__ __forceinline__ float value(float x) { return tanhf(x); }
  static __device__ __forceinline__ float derivative(float x) {
    float const t = tanhf(x);
    return fmaf(-t, t, 1.0f);
  }
};

// x times the probability that a standard normal is below x.
struct Gelu {
  static __device__ __forceinline__ float below(float x) { return 0.5f * erfcf(x * -0.70710678f); }
  static __device__ __forceinline__ float value(float x) { return x * below(x); }
  // Distribution function + x density
  static __device__ __forceinline__ float derivative(float x) {
    return fmaf(x, expf(x * x * -0.5f) * 0.39894228f, below(x));
  }
};

// With (1 + tanh u) / 2 = s(2u) this is x s(q(x)), q(x) = 2 sqrt(2 / pi) (x + 0.044715 x^3). Beyond +-16 the gate s is
// 0 or 1 in any precision.
struct GeluTanh {
  static constexpr float linear = 1.59576912f, cubic = linear * 0.044715f, bound = 16.0f;

  static __device__ __forceinline__ float value(float x) {
    float const b = at_least(at_most(x, bound), -bound);
    return x * SigmoidParts(b * fmaf(b * b, cubic, linear)).value;
  }
  // s + x s (1 - s) q'(x)
  static __device__ __forceinline__ float derivative(float x) {
    float const b = at_least(at_most(x, bound), -bound);
    SigmoidParts const s(b * fmaf(b * b, cubic, linear));
    return fmaf(b * s.value * s.complement, fmaf(b * b, 3.0f * cubic, linear), s.value);
  }
};

// With e = e^x and n = e (e + 2), tanh(log(1 + e^x)) = n / (n + 2). Above 20 the quotient is 1 in any precision.
struct Mish {
  static constexpr float bound = 20.0f;

  static __device__ __forceinline__ float value(float x) {
    float const e = expf(at_most(x, bound)), n = e * (e + 2.0f);
    return x * (n / (n + 2.0f));
  }
  // n / (n + 2) + 4 x e (1 + e) / (n + 2)^2
  static __device__ __forceinline__ float derivative(float x) {
    float const b = at_most(x, bound);
    float const e = expf(b), n = e * (e + 2.0f), inverse = 1.0f / (n + 2.0f);
    return (n + b * (4.0f * e * (1.0f + e) * inverse)) * inverse;
  }
};

/// Calls f with the functor of an activation.
template <class F>
void with_activation(Activation kind, const F& f) {
  switch (kind) {
    case Activation::relu:
      return f(Relu{});
    case Activation::relu6:
      return f(Relu6{});
    case Activation::silu:
      return f(Silu{});
    case Activation::gelu:
      return f(Gelu{});
    case Activation::gelu_tanh:
      return f(GeluTanh{});
    case Activation::mish:
      return f(Mish{});
    case Activation::sigmoid:
      return f(Sigmoid{});
    case Activation::tanh:
      return f(Tanh{});
    case Activation::none:
      break;
  }
  return f(Identity{});
}

}  // namespace stipple::cuda
