// All of stipple. What needs a library of the system is included where that library is installed: nlohmann-json for
// weights, checkpoints and the trainer, zlib for IDX data sets, libpng, libjpeg, stb and giflib for pictures, OpenSSL
// for hashes. Left out are metrics/fid.hpp and metrics/evaluate.hpp, because Eigen takes seconds to compile.
#pragma once

#include <stipple/autograd/activation.hpp>
#include <stipple/autograd/arithmetic.hpp>
#include <stipple/autograd/attention.hpp>
#include <stipple/autograd/batch_norm.hpp>
#include <stipple/autograd/checkpoint.hpp>
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
#include <stipple/data/points.hpp>
#include <stipple/data/resample.hpp>
#include <stipple/data/transform.hpp>
#include <stipple/diffusion/ddpm.hpp>
#include <stipple/diffusion/edm.hpp>
#include <stipple/diffusion/flow.hpp>
#include <stipple/diffusion/gaussian_start.hpp>
#include <stipple/diffusion/guidance.hpp>
#include <stipple/diffusion/samplers/ddim.hpp>
#include <stipple/diffusion/samplers/ddpm.hpp>
#include <stipple/diffusion/samplers/dpm_solver.hpp>
#include <stipple/diffusion/samplers/euler.hpp>
#include <stipple/diffusion/samplers/heun.hpp>
#include <stipple/metrics/chamfer.hpp>
#include <stipple/metrics/feature_network.hpp>
#include <stipple/metrics/kid.hpp>
#include <stipple/metrics/precision_recall.hpp>
#include <stipple/models/annotated_unet.hpp>
#include <stipple/models/berkeley_unet.hpp>
#include <stipple/models/image_classifier.hpp>
#include <stipple/models/inception_v3.hpp>
#include <stipple/models/kaist_unet.hpp>
#include <stipple/models/mobilenet_v2.hpp>
#include <stipple/models/radboud_unet.hpp>
#include <stipple/models/time_linear_net.hpp>
#include <stipple/nn/attention.hpp>
#include <stipple/nn/blocks.hpp>
#include <stipple/nn/conv.hpp>
#include <stipple/nn/conv_norm.hpp>
#include <stipple/nn/dropout.hpp>
#include <stipple/nn/embedding.hpp>
#include <stipple/nn/linear.hpp>
#include <stipple/nn/model.hpp>
#include <stipple/nn/norm.hpp>
#include <stipple/optim/adam.hpp>
#include <stipple/optim/clip.hpp>
#include <stipple/optim/schedule.hpp>
#include <stipple/optim/sgd.hpp>

#if __has_include(<nlohmann/json.hpp>)
#include <stipple/io/checkpoint.hpp>
#include <stipple/io/json_log.hpp>
#include <stipple/io/weights.hpp>
#include <stipple/train/trainer.hpp>
#endif
#if __has_include(<zlib.h>)
#include <stipple/data/idx.hpp>
#endif
#if __has_include(<stb/stb_image_write.h>) && __has_include(<png.h>)
#include <stipple/io/image.hpp>
#endif
#if __has_include(<png.h>) && __has_include(<jpeglib.h>)
#include <stipple/data/image_folder.hpp>
#include <stipple/io/read_image.hpp>
#endif
#if __has_include(<openssl/evp.h>)
#include <stipple/io/hash.hpp>
#endif
#if __has_include(<stb/stb_image_write.h>) && __has_include(<nlohmann/json.hpp>) && __has_include(<openssl/evp.h>)
#include <stipple/metrics/classifier_features.hpp>
#include <stipple/metrics/pretrained_features.hpp>
#endif
#if __has_include(<gif_lib.h>)
#include <stipple/io/gif.hpp>
#endif
