// The definitions of the layer `metrics`.
#define STIPPLE_UNIT STIPPLE_UNIT_metrics
#include <stipple/metrics/chamfer.hpp>
#include <stipple/metrics/feature_network.hpp>
