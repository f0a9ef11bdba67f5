#include <stipple/backend/cpu/pad.hpp>
