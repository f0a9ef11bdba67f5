// Compiles the kernel text named by STIPPLE_KERNEL_TEXT once for each instruction set, each in its own namespace.
// Included many times on purpose: no include guard. The text must not include anything itself.
// With STIPPLE_KERNEL_TEXT_BF16 defined it is compiled for AVX-512 with bf16 dot products as well; that namespace sees
// all of avx512. With STIPPLE_KERNEL_TEXT_AMX defined it is compiled for AMX and, with STIPPLE_AMX_EMULATED set to 1,
// for plain code that does what AMX does, and for nothing else; `base` is the namespace whose other kernels it calls.
#if defined(STIPPLE_KERNEL_TEXT_AMX)

#define STIPPLE_AMX_EMULATED 1
namespace stipple::cpu::amx_emulated {
namespace base = portable;
#include STIPPLE_KERNEL_TEXT
}  // namespace stipple::cpu::amx_emulated
#undef STIPPLE_AMX_EMULATED

#if STIPPLE_X86
#define STIPPLE_AMX_EMULATED 0
#if defined(__clang__)
#pragma clang attribute push(                                                                                          \
    __attribute__((target("amx-tile,amx-bf16,avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("amx-tile,amx-bf16,avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2")
#endif
namespace stipple::cpu::amx {
namespace base = avx512_bf16;
#include STIPPLE_KERNEL_TEXT
}  // namespace stipple::cpu::amx
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef STIPPLE_AMX_EMULATED
#endif

#else
#define STIPPLE_ISA_PORTABLE 1
#define STIPPLE_ISA_AVX2 0
#define STIPPLE_ISA_AVX512 0
#define STIPPLE_ISA_AVX512_BF16 0
namespace stipple::cpu::portable {
#include STIPPLE_KERNEL_TEXT
}
#undef STIPPLE_ISA_PORTABLE
#define STIPPLE_ISA_PORTABLE 0

#if STIPPLE_X86
#undef STIPPLE_ISA_AVX2
#define STIPPLE_ISA_AVX2 1
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,bmi,bmi2")
#endif
namespace stipple::cpu::avx2 {
#include STIPPLE_KERNEL_TEXT
}
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef STIPPLE_ISA_AVX2
#define STIPPLE_ISA_AVX2 0

#undef STIPPLE_ISA_AVX512
#define STIPPLE_ISA_AVX512 1
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2")
#endif
namespace stipple::cpu::avx512 {
#include STIPPLE_KERNEL_TEXT
}
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#if defined(STIPPLE_KERNEL_TEXT_BF16)
#undef STIPPLE_ISA_AVX512_BF16
#define STIPPLE_ISA_AVX512_BF16 1
#if defined(__clang__)
#pragma clang attribute push(                                                                        \
    __attribute__((target("avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2")
#endif
namespace stipple::cpu::avx512_bf16 {
using namespace avx512;
#include STIPPLE_KERNEL_TEXT
}  // namespace stipple::cpu::avx512_bf16
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
#endif

#undef STIPPLE_ISA_AVX512_BF16
#undef STIPPLE_ISA_PORTABLE
#undef STIPPLE_ISA_AVX2
#undef STIPPLE_ISA_AVX512
#endif

#undef STIPPLE_KERNEL_TEXT_BF16
#undef STIPPLE_KERNEL_TEXT_AMX
#undef STIPPLE_KERNEL_TEXT
