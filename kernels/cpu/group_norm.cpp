#include <stipple/backend/cpu/group_norm.hpp>
