#include <stipple/backend/cpu/linear_attention.hpp>
