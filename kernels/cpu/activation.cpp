#include <stipple/backend/cpu/activation.hpp>
