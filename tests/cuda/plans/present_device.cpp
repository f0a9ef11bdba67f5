#include "present_device.hpp"

#include <stipple/core/error.hpp>

#include "libraries/frontend.hpp"

std::string present_device() {
  cudnn_frontend::DeviceProperties properties;
  auto status = properties.set_device_id(0).build();
  std::vector<std::uint8_t> bytes;
  if (status.is_good()) status = properties.serialize(bytes);
  if (status.is_bad()) stipple::fail("present_device: cuDNN describes no GPU: ", status.get_message());
  return {bytes.begin(), bytes.end()};
}
