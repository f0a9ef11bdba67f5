#include <stipple/backend/cpu/optimizer.hpp>
