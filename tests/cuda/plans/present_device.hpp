#pragma once

#include <string>

/// What cuDNN says of the first GPU of this machine, in the form of devices.hpp. Throws Error without one.
std::string present_device();
