// Instruction sets the CPU kernels are written for, and the choice among them at run time.
#pragma once

#include <array>
#include <string_view>

#include <stipple/core/compiled.hpp>
#include <stipple/core/error.hpp>

#if defined(__x86_64__) && defined(__GNUC__)
#define STIPPLE_X86 1
#else
#define STIPPLE_X86 0
#endif

namespace stipple {

/// In rising order; each contains the ones before it.
/// `portable` is plain C++, `avx512_bf16` adds dot products of bf16 pairs, `amx` adds bf16 tile products.
enum class Isa { portable, avx2, avx512, avx512_bf16, amx };

inline constexpr std::array<std::string_view, 5> isa_names{"portable", "avx2", "avx512", "avx512_bf16", "amx"};

inline std::string to_text(Isa isa) { return std::string(isa_names[static_cast<std::size_t>(isa)]); }

/// The best instruction set of this processor and operating system. Asks Linux for the AMX tile state.
STIPPLE_INLINE Isa supported_isa();

/// The instruction set to use: `supported_isa()`, or what the environment variable STIPPLE_ISA names.
/// Throws Error when it names none, or one that this processor lacks.
STIPPLE_INLINE Isa detect_isa();

}  // namespace stipple

#if STIPPLE_DEFINES(core) && STIPPLE_DEFINES_FUNCTIONS

#include <cstdlib>

#if STIPPLE_X86
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace stipple {

STIPPLE_INLINE Isa supported_isa() {
#if STIPPLE_X86
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::portable;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
    return Isa::avx2;
  __get_cpuid_count(7, 1, &a, &b, &c, &d);
  bool const has_bf16 = (a >> 5 & 1u) != 0;
  if (!has_bf16) return Isa::avx512;
  __get_cpuid_count(7, 0, &a, &b, &c, &d);
  bool const has_amx = (d >> 22 & 1u) != 0 && (d >> 24 & 1u) != 0;  // AMX-BF16 and AMX-TILE
#if defined(__linux__)
  constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  if (has_amx && syscall(SYS_arch_prctl, request_permission, tile_data) == 0) return Isa::amx;
#else
  (void)has_amx;
#endif
  return Isa::avx512_bf16;
#else
  return Isa::portable;
#endif
}

STIPPLE_INLINE Isa detect_isa() {
  Isa const best = supported_isa();
  const char* const wanted = std::getenv("STIPPLE_ISA");
  if (wanted == nullptr || *wanted == '\0') return best;
  for (std::size_t i = 0; i < isa_names.size(); ++i) {
    if (isa_names[i] != wanted) continue;
    require(static_cast<Isa>(i) <= best, "STIPPLE_ISA: given ", wanted, ", but this processor goes up to ",
            to_text(best));
    return static_cast<Isa>(i);
  }
  fail("STIPPLE_ISA: given ", wanted, ", wanted one of portable, avx2, avx512, avx512_bf16, amx");
}

}  // namespace stipple

#endif
