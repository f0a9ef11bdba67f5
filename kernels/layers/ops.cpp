// The definitions of the layer `ops`.
#define STIPPLE_UNIT STIPPLE_UNIT_ops
#include <stipple/ops/activation.hpp>
#include <stipple/ops/arithmetic.hpp>
#include <stipple/ops/attention.hpp>
#include <stipple/ops/batch_norm.hpp>
#include <stipple/ops/concat.hpp>
#include <stipple/ops/conv2d.hpp>
#include <stipple/ops/conv_transpose2d.hpp>
#include <stipple/ops/dropout.hpp>
#include <stipple/ops/embedding.hpp>
#include <stipple/ops/group_norm.hpp>
#include <stipple/ops/layer_norm.hpp>
#include <stipple/ops/linear_attention.hpp>
#include <stipple/ops/loss.hpp>
#include <stipple/ops/matmul.hpp>
#include <stipple/ops/pad.hpp>
#include <stipple/ops/pool.hpp>
#include <stipple/ops/reduce.hpp>
#include <stipple/ops/resize.hpp>
#include <stipple/ops/softmax.hpp>
#include <stipple/ops/timestep_embedding.hpp>
