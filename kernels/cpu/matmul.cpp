#include <stipple/backend/cpu/matmul.hpp>
