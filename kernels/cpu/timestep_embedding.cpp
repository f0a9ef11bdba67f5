#include <stipple/backend/cpu/timestep_embedding.hpp>
