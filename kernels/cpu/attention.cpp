#include <stipple/backend/cpu/attention.hpp>
