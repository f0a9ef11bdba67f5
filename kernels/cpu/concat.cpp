#include <stipple/backend/cpu/concat.hpp>
