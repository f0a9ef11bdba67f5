#include <stipple/backend/cpu/arithmetic.hpp>
