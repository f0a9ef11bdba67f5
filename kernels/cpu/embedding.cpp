#include <stipple/backend/cpu/embedding.hpp>
