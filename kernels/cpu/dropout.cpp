#include <stipple/backend/cpu/dropout.hpp>
