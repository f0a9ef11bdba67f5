#include <stipple/backend/cpu/conv2d.hpp>
