// The definitions of the layer `io`, and of the data sets that are read with it.
#define STIPPLE_UNIT STIPPLE_UNIT_io
#include <stipple/data/idx.hpp>
#include <stipple/data/image_folder.hpp>
#include <stipple/io/checkpoint.hpp>
#include <stipple/io/file.hpp>
#include <stipple/io/file_dtype.hpp>
#include <stipple/io/folder_lock.hpp>
#include <stipple/io/gif.hpp>
#include <stipple/io/gnuplot.hpp>
#include <stipple/io/hash.hpp>
#include <stipple/io/idx.hpp>
#include <stipple/io/image.hpp>
#include <stipple/io/json.hpp>
#include <stipple/io/json_log.hpp>
#include <stipple/io/palette.hpp>
#include <stipple/io/plot.hpp>
#include <stipple/io/plot_images.hpp>
#include <stipple/io/read_image.hpp>
#include <stipple/io/read_jpeg.hpp>
#include <stipple/io/read_png.hpp>
#include <stipple/io/safetensors.hpp>
#include <stipple/io/weights.hpp>
