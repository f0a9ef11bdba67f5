#include <stipple/backend/cpu/batch_norm.hpp>
