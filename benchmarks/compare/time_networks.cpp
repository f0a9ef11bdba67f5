// Times training and sampling steps of the courses' networks, on request: the counterpart of peers/time_peer.py, which
// describes the line protocol. time_networks is compiled for the CPU and, from the same text, time_networks_cuda for a
// GPU.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>

#include <stipple/autograd/mode.hpp>
#include <stipple/diffusion/diffusion_step.hpp>
#include <stipple/diffusion/recorded_denoiser.hpp>
#include <stipple/diffusion/samplers/ddpm.hpp>
#include <stipple/models/annotated_unet.hpp>
#include <stipple/models/berkeley_unet.hpp>
#include <stipple/models/kaist_unet.hpp>
#include <stipple/models/radboud_unet.hpp>
#include <stipple/models/time_linear_net.hpp>
#include <stipple/nn/model.hpp>
#include <stipple/optim/adam.hpp>

#ifdef STIPPLE_BENCHMARK_CUDA
#include <stipple/cuda.hpp>
#endif

namespace st = stipple;

namespace {

#ifdef STIPPLE_BENCHMARK_CUDA
using Dev = st::Cuda;
#else
using Dev = st::Cpu;
#endif

using Clock = std::chrono::steady_clock;

struct Workload {
  std::function<void()> train, sample;
};

struct Process {
  int timesteps;
  st::Loss loss;
};

/// A network of which `call(net, x, t)` is a pass.
template <class T, class Net, class Call>
struct Called {
  using element = T;
  using device = Dev;
  Net net;
  Call call;

  st::Var<T, Dev> operator()(const st::Var<T, Dev>& x, const st::Tensor<float, Dev>& t) const {
    return call(net, x, t);
  }
  static void each(auto& self, auto&& f) { f("", self.net); }
};

/// What the steps of a workload share. A GPU replays them, as in the programs.
template <class T, class Net, class Call>
struct Steps {
  st::Model<Called<T, Net, Call>> model;
  st::Ddpm ddpm;
  st::Rng rng{7};
  st::DiffusionStep<Called<T, Net, Call>, st::Ddpm> train{model, ddpm};
  decltype(st::recorded<Dev>(model)) denoise = st::recorded<Dev>(model);

  Steps(Net network, Call call, st::Ddpm process)
      : model({std::move(network), std::move(call)}), ddpm(std::move(process)) {}
};

template <class T, class Net, class Call>
Workload workload(Net network, st::Shape shape, Process process, Call call) {
  st::Ddpm ddpm(st::linear_schedule({.num_train_timesteps = process.timesteps}), {.loss = process.loss});
  auto const steps = std::make_shared<Steps<T, Net, Call>>(std::move(network), std::move(call), std::move(ddpm));
  auto const data = st::to<Dev>(steps->rng.uniform(shape, -1, 1));
  auto const start = st::to<Dev>(steps->rng.normal(shape));
  return {[=] {
            st::Training const training(steps->rng);
            (void)steps->train(data, steps->rng).update(st::Adam{{.learning_rate = 1e-3}});
          },
          // One step of the sampler in the middle of the chain, with its noise.
          [=] {
            st::sample_ddpm(steps->denoise, start, steps->ddpm.schedule, steps->rng,
                            {.timesteps = {process.timesteps / 2}, .noise_at_last_step = true});
          }};
}

/// A class for every sample, and the steps as the course counts them, 1 to T, in [0, 1].
template <class T>
Workload berkeley_class(st::Index batch, st::Rng& rng) {
  constexpr int timesteps = 300, classes = 10;
  st::Tensor<std::int32_t> labels({batch});
  for (st::Index i = 0; i < batch; ++i) labels.data()[i] = static_cast<std::int32_t>(i % classes);
  return workload<T>(st::BerkeleyUnet<T, Dev>({.time = true, .classes = classes}, rng), {batch, 28, 28, 1},
                     {timesteps, st::Loss::l2},
                     [labels = st::to<Dev>(labels)](const auto& net, const auto& x, const auto& t) {
                       return net(x, st::ops::affine(t, 1.0 / timesteps, 1.0 / timesteps), labels);
                     });
}

template <class T>
Workload workload_by_name(const std::string& name, st::Index batch) {
  st::Rng rng(1);
  auto const plain = [](const auto& net, const auto& x, const auto& t) { return net(x, t); };
  if (name == "swiss_roll")
    return workload<T>(st::TimeLinearNet<T, Dev>({2, 128, 128, 128, 2}, rng), {batch, 2}, {1000, st::Loss::l2}, plain);
  if (name == "berkeley_class") return berkeley_class<T>(batch, rng);
  if (name == "radboud")
    return workload<T>(st::RadboudUnet<T, Dev>({}, rng), {batch, 32, 32, 1}, {1000, st::Loss::l2}, plain);
  if (name == "kaist")
    return workload<T>(st::KaistUnet<T, Dev>({}, rng), {batch, 64, 64, 3}, {1000, st::Loss::l2}, plain);
  st::AnnotatedUnetConfig config;
  config.block = name == "ai504_resnet" ? st::AnnotatedBlock::resnet : st::AnnotatedBlock::convnext;
  return workload<T>(st::AnnotatedUnet<T, Dev>(config, rng), {batch, 28, 28, 1}, {200, st::Loss::huber}, plain);
}

/// Seconds of each step. On a GPU they are queued and waited for together, and each counts with their mean.
std::string timed(int count, const std::function<void()>& step) {
  std::vector<double> seconds;
  auto const since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
#ifdef STIPPLE_BENCHMARK_CUDA
  st::cuda::synchronize();
  auto const start = Clock::now();
  for (int i = 0; i < count; ++i) step();
  st::cuda::synchronize();
  seconds.assign(static_cast<std::size_t>(count), since(start) / count);
#else
  for (int i = 0; i < count; ++i) {
    auto const start = Clock::now();
    step();
    seconds.push_back(since(start));
  }
#endif
  std::ostringstream out;
  for (std::size_t i = 0; i < seconds.size(); ++i) out << (i == 0 ? "[" : ", ") << seconds[i];
  out << ']';
  return out.str();
}

/// Of the resident set, or on a GPU of what was taken from it.
long long peak_bytes() {
#ifdef STIPPLE_BENCHMARK_CUDA
  return static_cast<long long>(st::cuda::memory_report().reserved);
#else
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  return 0;
#endif
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app{
      "Times training and sampling steps, one command a line on standard input: train N, sample N, rss, about."};
  std::string net = "swiss_roll", precision = "fp32";
  st::Index batch = 128;
  int threads = st::num_threads();
  app.add_option("--net", net)
      ->check(CLI::IsMember({"swiss_roll", "ai504_convnext", "ai504_resnet", "berkeley_class", "radboud", "kaist"}));
  app.add_option("--precision", precision)->check(CLI::IsMember({"fp32", "bf16"}));
  app.add_option("--batch", batch)->check(CLI::PositiveNumber);
  app.add_option("--threads", threads)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  st::set_num_threads(threads);
  auto const work = precision == "bf16" ? workload_by_name<st::bf16>(net, batch) : workload_by_name<float>(net, batch);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    int count = 0;
    words >> command >> count;
    if (command == "train")
      std::cout << timed(count, work.train) << std::endl;
    else if (command == "sample")
      std::cout << timed(count, work.sample) << std::endl;
    else if (command == "rss")
      std::cout << peak_bytes() << std::endl;
    else if (command == "about")
      std::cout << "{\"isa\": \"" << st::to_text(st::Context::instance().isa) << "\", \"threads\": " << threads << "}"
                << std::endl;
    else
      std::cout << "{\"error\": \"wanted train N, sample N, rss or about\"}" << std::endl;
  }
} catch (const st::Error& error) {
  std::cerr << error.what() << std::endl;
  return 1;
}
