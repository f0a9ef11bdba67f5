// The definitions of the measures that need stipple::io.
#define STIPPLE_UNIT STIPPLE_UNIT_evaluate
#include <stipple/metrics/classifier_features.hpp>
#include <stipple/metrics/evaluate.hpp>
#include <stipple/metrics/pretrained_features.hpp>
