#include <stipple/backend/cpu/nearest.hpp>
