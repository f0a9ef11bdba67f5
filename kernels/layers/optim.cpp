// The definitions of the layer `optim`.
#define STIPPLE_UNIT STIPPLE_UNIT_optim
#include <stipple/optim/adam.hpp>
#include <stipple/optim/clip.hpp>
#include <stipple/optim/sgd.hpp>
#include <stipple/optim/step.hpp>
