// Three GPUs as cuDNN describes them, for planning on machines that have none. Clocks are in kHz.
#pragma once

#include "libraries/convolution_graph.hpp"

struct NamedDevice {
  const char* name;
  stipple::cuda::products::DescribedDevice device;
};

inline constexpr NamedDevice devices[] = {
    {"sm_80",
     {R"({"deviceVer": 800, "multiProcessorCount": 108, "warpSize": 32, "maxSharedMemoryPerBlock": 49152,
          "maxSharedMemoryPerBlockOptin": 166912, "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536,
          "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "regsPerBlock": 65536,
          "totalGlobalMem": 85899345920, "smClockRateKHz": 1410000, "l2CacheSize": 41943040,
          "maxBlockSize": [1024, 1024, 64], "memClockRateKHz": 1593000, "maxGridSize": [2147483647, 65535, 65535],
          "supportCoopLaunch": 1, "pciDeviceId": 0, "isTccDriver": 0, "cudaDeviceId": 0, "driverVer": 13000,
          "deviceName": "NVIDIA A100-SXM4-80GB"})",
      80}},
    {"sm_90",
     {R"({"deviceVer": 900, "multiProcessorCount": 132, "warpSize": 32, "maxSharedMemoryPerBlock": 49152,
          "maxSharedMemoryPerBlockOptin": 232448, "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536,
          "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "regsPerBlock": 65536,
          "totalGlobalMem": 150149398528, "smClockRateKHz": 1980000, "l2CacheSize": 62914560,
          "maxBlockSize": [1024, 1024, 64], "memClockRateKHz": 3201000, "maxGridSize": [2147483647, 65535, 65535],
          "supportCoopLaunch": 1, "pciDeviceId": 0, "isTccDriver": 0, "cudaDeviceId": 0, "driverVer": 13000,
          "deviceName": "NVIDIA H200"})",
      90}},
    {"sm_100",
     {R"({"deviceVer": 1000, "multiProcessorCount": 148, "warpSize": 32, "maxSharedMemoryPerBlock": 49152,
          "maxSharedMemoryPerBlockOptin": 232448, "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536,
          "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "regsPerBlock": 65536,
          "totalGlobalMem": 191000000000, "smClockRateKHz": 1965000, "l2CacheSize": 132644864,
          "maxBlockSize": [1024, 1024, 64], "memClockRateKHz": 3996000, "maxGridSize": [2147483647, 65535, 65535],
          "supportCoopLaunch": 1, "pciDeviceId": 0, "isTccDriver": 0, "cudaDeviceId": 0, "driverVer": 13000,
          "deviceName": "NVIDIA B200"})",
      100}},
};
