#include <stipple/backend/cpu/loss.hpp>
