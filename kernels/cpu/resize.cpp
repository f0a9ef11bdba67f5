#include <stipple/backend/cpu/resize.hpp>
