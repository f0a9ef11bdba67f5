// The definitions of the layer `models`.
#define STIPPLE_UNIT STIPPLE_UNIT_models
#include <stipple/models/annotated_blocks.hpp>
#include <stipple/models/annotated_unet.hpp>
#include <stipple/models/berkeley_unet.hpp>
#include <stipple/models/image_classifier.hpp>
#include <stipple/models/inception_v3.hpp>
#include <stipple/models/kaist_blocks.hpp>
#include <stipple/models/kaist_unet.hpp>
#include <stipple/models/mobilenet_v2.hpp>
#include <stipple/models/radboud_unet.hpp>
#include <stipple/models/time_linear_net.hpp>
