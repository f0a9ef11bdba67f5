#include <stipple/backend/cpu/pool.hpp>
