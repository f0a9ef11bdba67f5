// One text, two ways to link. Header-only: everything is defined where it is used. With STIPPLE_COMPILED (set by the
// target stipple::compiled) a program sees declarations; the definitions are compiled once, into the library, for the
// element types of STIPPLE_FOR_EACH_REAL. stipple::cuda holds those of templates for the GPU.
//
// A header declares first and defines below, under `#if STIPPLE_DEFINES(unit)`, followed by the instantiations. Each
// source of the library names the unit that it holds in STIPPLE_UNIT and sees the definitions of that unit alone.
#pragma once

#define STIPPLE_UNIT_kernels 1
#define STIPPLE_UNIT_core 2
#define STIPPLE_UNIT_ops 3
#define STIPPLE_UNIT_autograd 4
#define STIPPLE_UNIT_nn 5
#define STIPPLE_UNIT_optim 6
#define STIPPLE_UNIT_diffusion 7
#define STIPPLE_UNIT_models 8
#define STIPPLE_UNIT_io 9
#define STIPPLE_UNIT_data 10
#define STIPPLE_UNIT_train 11
#define STIPPLE_UNIT_metrics 12
#define STIPPLE_UNIT_evaluate 13

#ifndef STIPPLE_UNIT
#define STIPPLE_UNIT 0
#endif

// STIPPLE_DEVICE is the device of the instances, the CPU unless a source says `Cuda` (kernels/cuda/layers/*.cpp).
//
// STIPPLE_INLINE stands before functions that are no templates. They have no device: they are defined, under
// STIPPLE_DEFINES_FUNCTIONS, where the layers are compiled for the CPU.
#ifndef STIPPLE_DEVICE
#define STIPPLE_DEVICE Cpu
#define STIPPLE_DEFINES_FUNCTIONS 1
#define STIPPLE_INSTANTIATE_CPU(...) STIPPLE_INSTANTIATE(__VA_ARGS__)
#else
#define STIPPLE_DEFINES_FUNCTIONS 0
#define STIPPLE_INSTANTIATE_CPU(...)
#endif

#if defined(STIPPLE_COMPILED)
#define STIPPLE_DEFINES(unit) (STIPPLE_UNIT == STIPPLE_UNIT_##unit)
#define STIPPLE_INLINE
#define STIPPLE_INSTANTIATE(...) __VA_ARGS__
#else
#define STIPPLE_DEFINES(unit) 1
#define STIPPLE_INLINE inline
#define STIPPLE_INSTANTIATE(...)
#endif

#define STIPPLE_FOR_EACH_REAL(instances)                                                         \
  STIPPLE_INSTANTIATE(instances(float, STIPPLE_DEVICE) instances(stipple::bf16, STIPPLE_DEVICE)) \
  STIPPLE_INSTANTIATE_CPU(instances(double, Cpu))
// Element types that are added in: that of a sampler, a schedule or a norm.
#define STIPPLE_FOR_EACH_WIDE(instances)                \
  STIPPLE_INSTANTIATE(instances(float, STIPPLE_DEVICE)) \
  STIPPLE_INSTANTIATE_CPU(instances(double, Cpu))
// Element types of a network and of what it is combined with: its own or the accumulation type.
#define STIPPLE_FOR_EACH_PAIR(instances)                                                                              \
  STIPPLE_INSTANTIATE(instances(float, float, STIPPLE_DEVICE) instances(stipple::bf16, stipple::bf16, STIPPLE_DEVICE) \
                          instances(stipple::bf16, float, STIPPLE_DEVICE))                                            \
  STIPPLE_INSTANTIATE_CPU(instances(double, double, Cpu))

// The same for the parts that need stipple::io; a library that was built without it leaves them to its users.
#if defined(STIPPLE_COMPILED) && !defined(STIPPLE_COMPILED_WITHOUT_IO)
#define STIPPLE_DEFINES_IO(unit) STIPPLE_DEFINES(unit)
#define STIPPLE_IO_INLINE
#else
#define STIPPLE_DEFINES_IO(unit) 1
#define STIPPLE_IO_INLINE inline
#endif
