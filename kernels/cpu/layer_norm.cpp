#include <stipple/backend/cpu/layer_norm.hpp>
