#include <stipple/backend/cpu/softmax.hpp>
