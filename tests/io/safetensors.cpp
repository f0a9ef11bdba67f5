#include <cmath>
#include <cstring>
#include <limits>

#include <stipple/io/safetensors.hpp>

#include "catch.hpp"
#include "check.hpp"
#include "scratch_folder.hpp"

using namespace stipple;

namespace {

FilePath const reference = FilePath(STIPPLE_TEST_REFERENCE_DIR) / "io";
const char* const awkward_name = "name \"with\" \\ and é\n";

template <class T>
std::vector<T> values(const Tensor<T>& tensor) {
  return {tensor.span().begin(), tensor.span().end()};
}

}  // namespace

TEST_CASE("a file of the Python package is read in all its types") {
  SafetensorsFile const file(reference / "dtypes.safetensors");
  REQUIRE(file.names().size() == 14);
  REQUIRE(file.metadata() == std::map<std::string, std::string>{{"made by", "Python, é"}});
  REQUIRE(file.contains("f32"));
  REQUIRE_FALSE(file.contains("f33"));
  REQUIRE(file.info("f32").dtype == FileDtype::f32);
  REQUIRE(file.info("f32").shape == Shape{2, 3, 1, 4});

  auto const f32 = file.read<float>("f32");
  REQUIRE(f32.shape() == Shape{2, 3, 1, 4});
  for (int i = 0; i < 24; ++i) REQUIRE(f32.data()[i] == static_cast<float>(i) / 7.0f);
  REQUIRE(values(file.read<double>("f64")) == std::vector<double>{0.1, 1e300});
  REQUIRE(values(file.read<std::int64_t>("i64")) == std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min(),
                                                                              std::numeric_limits<std::int64_t>::max(),
                                                                              5});
  REQUIRE(
      values(file.read<std::int32_t>("i32")) ==
      std::vector<std::int32_t>{std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()});
  REQUIRE(values(file.read<std::int32_t>("i16")) == std::vector<std::int32_t>{-32768, 0, 32767});
  REQUIRE(values(file.read<std::int64_t>("i8")) == std::vector<std::int64_t>{-128, 0, 127});
  REQUIRE(values(file.read<std::uint8_t>("u8")) == std::vector<std::uint8_t>{250, 251, 252, 253, 254, 255});
  REQUIRE(values(file.read<std::uint8_t>("bool")) == std::vector<std::uint8_t>{1, 0, 1});
  REQUIRE(values(file.read<std::uint8_t>(awkward_name)) == std::vector<std::uint8_t>{7});
  REQUIRE(file.read<double>("scalar").rank() == 0);
  REQUIRE(file.read<double>("scalar").item() == 0.25);
  REQUIRE(file.read<float>("empty").shape() == Shape{0, 3});
  REQUIRE(file.raw("i16").size() == 6);

  std::vector<float> const floats{0.0f, -0.0f, 1.0f, -2.5f, 0.333251953125f, 65504.0f};
  auto const f16 = file.read<float>("f16");
  REQUIRE(std::memcmp(f16.data(), floats.data(), sizeof(float) * 6) == 0);
  auto const special = file.read<double>("f16 special");
  REQUIRE(std::vector<double>(special.data(), special.data() + 6) ==
          std::vector<double>{0x1p-24, 0x1.ff8p-15, 0x1p-14, 65504, INFINITY, -INFINITY});
  REQUIRE(std::isnan(special.data()[6]));
  auto const narrow = file.read<bf16>("bf16");
  REQUIRE(narrow.data()[4].bits == 0x3eab);
  REQUIRE(values(file.read<float>("bf16")) == std::vector<float>{0, -0.0f, 1, -2.5f, 0.333984375f, INFINITY});
}

TEST_CASE("all halves are read as the value of their bits") {
  ScratchFolder const folder;
  std::string const header = R"({"h":{"dtype":"F16","shape":[65536],"data_offsets":[0,131072]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  bytes += header;
  for (int i = 0; i < 65536; ++i) bytes += {static_cast<char>(i), static_cast<char>(i >> 8)};
  put_bytes(folder / "halves", bytes);
  auto const halves = SafetensorsFile(folder / "halves").read<float>("h");
  bool same = true;
  for (int i = 0; i < 65536; ++i) {
    int const exponent = i >> 10 & 31, fraction = i & 1023;
    double wanted = std::ldexp(exponent == 0 ? fraction : fraction + 1024, std::max(exponent, 1) - 25);
    if (exponent == 31) wanted = fraction == 0 ? INFINITY : NAN;
    if (i >= 32768) wanted = -wanted;
    float const given = halves.data()[i];
    same = same &&
           (std::isnan(wanted) ? std::isnan(given) : given == wanted && std::signbit(given) == std::signbit(wanted));
  }
  REQUIRE(same);
}

TEST_CASE("conversions are exact or refused") {
  ScratchFolder const folder;
  SafetensorsWriter writer;
  writer.add("coarse", Tensor<double>({3}, {0.5, -0.0, NAN}));
  writer.add("fine", Tensor<double>({3}, {0.5, 1.0, 0.1}));
  writer.add("huge", Tensor<double>({1}, {1e300}));
  writer.add("float", Tensor<float>({2}, {1.0f, 1.00390625f}));  // 1 + 2^-8 has one bit too many for bf16
  writer.add("bf16", Tensor<bf16>({2}, {bf16(1.0f), bf16(-3.0f)}));
  writer.add("small", Tensor<std::int64_t>({2}, {255, 0}));
  writer.add("big", Tensor<std::int64_t>({3}, {1, -1, 3'000'000'000}));
  writer.write(folder / "file");
  SafetensorsFile const file(folder / "file");
  auto const coarse = file.read<bf16>("coarse");
  REQUIRE(coarse.data()[0] == bf16(0.5f));
  REQUIRE(coarse.data()[1].bits == 0x8000);
  REQUIRE(std::isnan(static_cast<float>(coarse.data()[2])));
  REQUIRE(values(file.read<double>("float")) == std::vector<double>{1.0, 1.00390625});
  REQUIRE(values(file.read<double>("bf16")) == std::vector<double>{1.0, -3.0});
  REQUIRE(values(file.read<std::uint8_t>("small")) == std::vector<std::uint8_t>{255, 0});
  REQUIRE(values(file.read<std::int32_t>("small")) == std::vector<std::int32_t>{255, 0});
  require_error([&] { file.read<float>("fine"); },
                "file': tensor 'fine': given F64, wanted float32, which cannot hold "
                "element 2 exactly");
  require_error([&] { file.read<float>("huge"); }, "element 0");
  require_error([&] { file.read<bf16>("float"); }, "given F32, wanted bfloat16, which cannot hold element 1");
  require_error([&] { file.read<std::int32_t>("big"); }, "given I64, wanted int32, which cannot hold element 2");
  require_error([&] { file.read<std::uint8_t>("big"); }, "wanted uint8, which cannot hold element 1");
  require_error([&] { file.read<float>("small"); }, "tensor 'small': given I64, wanted float32");
  require_error([&] { file.read<std::int32_t>("coarse"); }, "given F64, wanted int32");
  require_error([&] { file.read<float>("other"); }, "no tensor named 'other'");
  require_error([&] { file.raw("other"); }, "no tensor named 'other'");
  require_error([&] { file.info("other"); }, "no tensor named 'other'");
}

TEST_CASE("the writer produces the bytes of the Python package, in any order of calls") {
  ScratchFolder const folder;
  auto const wanted = bytes_of(reference / "writer.safetensors");
  SafetensorsFile const source(reference / "writer.safetensors");
  auto names = source.names();
  for (bool const reversed : {false, true}) {
    if (reversed) std::reverse(names.begin(), names.end());
    SafetensorsWriter writer;
    writer.metadata("made by", "nobody");
    for (auto const& name : names) {
      auto const dtype = source.info(name).dtype;
      if (dtype == FileDtype::u8) writer.add(name, source.read<std::uint8_t>(name));
      if (dtype == FileDtype::i32) writer.add(name, source.read<std::int32_t>(name));
      if (dtype == FileDtype::i64) writer.add(name, source.read<std::int64_t>(name));
      if (dtype == FileDtype::f32) writer.add(name, source.read<float>(name));
      if (dtype == FileDtype::f64) writer.add(name, source.read<double>(name));
      if (dtype == FileDtype::bf16) writer.add(name, source.read<bf16>(name));
    }
    writer.metadata("made by", "Python, é");
    writer.write(folder / "copy");
    REQUIRE(bytes_of(folder / "copy") == wanted);
  }
}

TEST_CASE("an empty file has no tensors, and only metadata is fine") {
  ScratchFolder const folder;
  SafetensorsWriter writer;
  writer.write(folder / "empty");
  REQUIRE(SafetensorsFile(folder / "empty").names().empty());
  writer.metadata("k", "v");
  writer.write(folder / "metadata");
  REQUIRE(SafetensorsFile(folder / "metadata").metadata().at("k") == "v");
}

TEST_CASE("tensors of the file are aligned whatever the names") {
  ScratchFolder const folder;
  for (int length = 1; length <= 9; ++length) {
    SafetensorsWriter writer;
    writer.add("z", Tensor<std::uint8_t>({3}, {1, 2, 3}));
    writer.add(std::string(static_cast<std::size_t>(length), 'a'), Tensor<double>({2}, {1.5, 2.5}));
    writer.write(folder / "file");
    SafetensorsFile const file(folder / "file");
    auto const raw = file.raw(std::string(static_cast<std::size_t>(length), 'a'));
    REQUIRE(reinterpret_cast<std::uintptr_t>(raw.data()) % 8 == 0);
    REQUIRE(values(file.read<std::uint8_t>("z")) == std::vector<std::uint8_t>{1, 2, 3});
  }
}

TEST_CASE("the writer refuses what no reader would take, and keeps the old file") {
  ScratchFolder const folder;
  auto const path = folder / "file";
  put_bytes(path, "old");
  SafetensorsWriter writer;
  writer.add("a", Tensor<float>({1}, {1.0f}));
  require_error([&] { writer.add("a", Tensor<float>({1}, {1.0f})); }, "two tensors named 'a'");
  require_error([&] { writer.add("a", Tensor<double>({1}, {1.0})); }, "two tensors named 'a'");
  require_error([&] { writer.add("__metadata__", Tensor<float>({1}, {1.0f})); }, "__metadata__");
  require_error([&] { writer.add("b", Tensor<float>()); }, "undefined tensor for 'b'");
  require_error([&] { writer.write(folder / "missing/file"); }, "missing/file");
  writer.metadata("bad", "\xff");
  require_error([&] { writer.write(path); }, "UTF-8");
  REQUIRE(bytes_of(path) == "old");
  REQUIRE_FALSE(std::filesystem::exists(path.string() + ".partial"));
}
