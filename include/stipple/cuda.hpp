// What programs include, beside stipple.hpp, to use Tensor<T, Cuda>; they link stipple::cuda. No CUDA header is needed.
#pragma once

#include <stipple/backend/cuda/activation.hpp>
#include <stipple/backend/cuda/arithmetic.hpp>
#include <stipple/backend/cuda/concat.hpp>
#include <stipple/backend/cuda/conv2d.hpp>
#include <stipple/backend/cuda/conv_transpose2d.hpp>
#include <stipple/backend/cuda/dropout.hpp>
#include <stipple/backend/cuda/embedding.hpp>
#include <stipple/backend/cuda/group_norm.hpp>
#include <stipple/backend/cuda/layer_norm.hpp>
#include <stipple/backend/cuda/loss.hpp>
#include <stipple/backend/cuda/matmul.hpp>
#include <stipple/backend/cuda/normals.hpp>
#include <stipple/backend/cuda/optimizer.hpp>
#include <stipple/backend/cuda/pad.hpp>
#include <stipple/backend/cuda/products.hpp>
#include <stipple/backend/cuda/reduce.hpp>
#include <stipple/backend/cuda/resize.hpp>
#include <stipple/backend/cuda/runtime.hpp>
#include <stipple/backend/cuda/softmax.hpp>
