#include <stipple/backend/cpu/reduce.hpp>
