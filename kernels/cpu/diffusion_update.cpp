#include <stipple/backend/cpu/diffusion_update.hpp>
