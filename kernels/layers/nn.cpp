// The definitions of the layer `nn`.
#define STIPPLE_UNIT STIPPLE_UNIT_nn
#include <stipple/nn/attention.hpp>
#include <stipple/nn/blocks.hpp>
#include <stipple/nn/conv.hpp>
#include <stipple/nn/conv_norm.hpp>
#include <stipple/nn/embedding.hpp>
#include <stipple/nn/init.hpp>
#include <stipple/nn/linear.hpp>
#include <stipple/nn/model_state.hpp>
#include <stipple/nn/norm.hpp>
#include <stipple/nn/timestep_mlp.hpp>
