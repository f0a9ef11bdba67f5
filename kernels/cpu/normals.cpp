#include <stipple/backend/cpu/normals.hpp>
