#include <stipple/backend/cpu/diffusion_update.hpp>

#include "compare.hpp"

using namespace stipple;

TEST_CASE("A sampler step on the GPU is that of the CPU", "[diffusion_update]") {
  for (Index n : {1, 7, 64, 5003}) {
    auto const x = random_tensor<float>({n}, 1), p = random_tensor<float>({n}, 2);
    std::vector<Tensor<float>> more;
    for (std::uint64_t k = 0; k < 3; ++k) more.push_back(random_tensor<float>({n}, 3 + k));
    for (std::size_t extras = 0; extras <= more.size(); ++extras) {
      for (bool bounded : {false, true}) {
        INFO(n << " elements, " << extras << " extras");
        UpdateWeights<float> weights{1.25f, -0.5f, 1, 0.25f, 0.75f, -1.5f, {0.5f, -2, 0.125f}};
        if (!bounded) weights.clip = std::numeric_limits<float>::infinity();
        Tensor<float> out({n}), x0({n});
        Tensor<float, Cuda> out_device({n}), x0_device({n});
        std::vector<Tensor<float, Cuda>> kept;
        UpdateExtras<float> pointers{};
        UpdateExtras<float, Cuda> pointers_device{};
        for (std::size_t k = 0; k < extras; ++k) {
          kept.push_back(k == 1 ? displaced(more[k]) : to<Cuda>(more[k]));
          pointers[k] = more[k].data();
          pointers_device[k] = kept[k].data();
        }
        auto const x_device = to<Cuda>(x), p_device = to<Cuda>(p);
        cpu::diffusion_update(weights, x.data(), p.data(), pointers, out.data(), x0.data(), n);
        cuda::diffusion_update<float>(weights, x_device.data(), p_device.data(), pointers_device, out_device.data(),
                                      x0_device.data(), n);
        require_close(out_device, out);
        require_close(x0_device, x0);
        cuda::diffusion_update<float>(weights, x_device.data(), p_device.data(), pointers_device, out_device.data(),
                                      nullptr, n);
        require_close(out_device, out);
      }
    }
  }
}

TEMPLATE_TEST_CASE("Noising samples on the GPU is as on the CPU", "[diffusion_update]", float, bf16) {
  for (Shape const shape : {Shape{3, 1}, Shape{5, 7}, Shape{4, 64}, Shape{2, 1001}}) {
    INFO(to_text(shape));
    auto const x = random_tensor<float>(shape, 1), y = random_tensor<float>(shape, 2);
    auto const a = random_tensor<float>({shape[0]}, 3), b = random_tensor<float>({shape[0]}, 4);
    Tensor<TestType> out(shape);
    Tensor<TestType, Cuda> out_device(shape);
    auto const x_device = displaced(x), y_device = to<Cuda>(y), a_device = to<Cuda>(a), b_device = to<Cuda>(b);
    cpu::mix_rows(a.data(), x.data(), b.data(), y.data(), out.data(), shape[0], shape[1]);
    cuda::mix_rows<TestType, float>(a_device.data(), x_device.data(), b_device.data(), y_device.data(),
                                    out_device.data(), shape[0], shape[1]);
    require_close(out_device, out);
    cuda::mix_rows<TestType, float>(a_device.data(), to<Cuda>(x).data(), b_device.data(), y_device.data(),
                                    out_device.data(), shape[0], shape[1]);
    require_close(out_device, out);
  }
}
