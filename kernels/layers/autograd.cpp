// The definitions of the layer `autograd`.
#define STIPPLE_UNIT STIPPLE_UNIT_autograd
#include <stipple/autograd/activation.hpp>
#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/attention.hpp>
#include <stipple/autograd/batch_norm.hpp>
#include <stipple/autograd/concat.hpp>
#include <stipple/autograd/conv2d.hpp>
#include <stipple/autograd/conv_transpose2d.hpp>
#include <stipple/autograd/dropout.hpp>
#include <stipple/autograd/embedding.hpp>
#include <stipple/autograd/group_norm.hpp>
#include <stipple/autograd/layer_norm.hpp>
#include <stipple/autograd/linear_attention.hpp>
#include <stipple/autograd/loss.hpp>
#include <stipple/autograd/matmul.hpp>
#include <stipple/autograd/mode.hpp>
#include <stipple/autograd/pad.hpp>
#include <stipple/autograd/pool.hpp>
#include <stipple/autograd/reduce.hpp>
#include <stipple/autograd/resize.hpp>
#include <stipple/autograd/softmax.hpp>
#include <stipple/autograd/timestep_embedding.hpp>
#include <stipple/autograd/var.hpp>
