// The definitions of the layer `data`.
#define STIPPLE_UNIT STIPPLE_UNIT_data
#include <stipple/data/dataset.hpp>
#include <stipple/data/loader.hpp>
#include <stipple/data/points.hpp>
#include <stipple/data/resample.hpp>
#include <stipple/data/transform.hpp>
