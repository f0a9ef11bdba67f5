// Matrix products by cuBLASLt. It counts by columns where we count by rows, so that it is asked for the transposed
// product: out^T = B^T A^T, an (n, m) matrix whose columns are our rows. Its left operand is our B.
#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include <stipple/backend/cuda/arithmetic.hpp>
#include <stipple/backend/cuda/products.hpp>
#include <stipple/backend/cuda/runtime.hpp>

#include "../products.hpp"
#include "../workspace.hpp"
#include "check.hpp"
#include "cublas_lt.hpp"
#include "fastest.hpp"

namespace stipple::cuda::products {

namespace {

constexpr const char* name = "matmul";
constexpr std::size_t workspace_limit = 32 * 1024 * 1024;  // what cuBLAS takes on Hopper
constexpr int most_candidates = 8;

struct Operand {
  Index rows, columns, pitch;  // as they lie in memory: columns one after the other
  bool turned;
  auto operator<=>(const Operand&) const = default;
};

// What a plan depends on.
struct Key {
  int device;
  cudaDataType_t type, result_type;
  Index n, m, count;
  Operand left, right;  // our B and our A
  bool bias, residual, tf32;
  std::array<unsigned, 4> alignment;  // of left, right, addend, and of result and bias
  auto operator<=>(const Key&) const = default;
};

template <class Handle, const auto& destroy>
class Owned {
 public:
  Owned() = default;
  Owned(Owned&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Owned& operator=(Owned&&) = delete;
  ~Owned() {
    if (handle_ != nullptr) (void)destroy(handle_);
  }
  Handle* place() { return &handle_; }
  Handle get() const { return handle_; }

 private:
  Handle handle_ = nullptr;
};
using Operation = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

class Layout : public Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy> {
 public:
  Layout(cudaDataType_t type, Index rows, Index columns, Index pitch, Index count) {
    check(cublasLtMatrixLayoutCreate(place(), type, static_cast<std::uint64_t>(rows),
                                     static_cast<std::uint64_t>(columns), pitch),
          name, "describe a matrix");
    if (count > 1) {
      set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(count));
      set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, static_cast<std::int64_t>(rows * columns));
    }
  }
  Layout(cudaDataType_t type, const Operand& o, Index count) : Layout(type, o.rows, o.columns, o.pitch, count) {}

 private:
  template <class Value>
  void set(cublasLtMatrixLayoutAttribute_t attribute, Value value) {
    check(cublasLtMatrixLayoutSetAttribute(get(), attribute, &value, sizeof value), name, "describe a batch");
  }
};

template <class Value>
void set(const Operation& operation, cublasLtMatmulDescAttributes_t attribute, Value value) {
  check(cublasLtMatmulDescSetAttribute(operation.get(), attribute, &value, sizeof value), name, "describe the product");
}
template <class Value>
void set(const Preference& preference, cublasLtMatmulPreferenceAttributes_t attribute, Value value) {
  check(cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof value), name,
        "state a preference");
}

struct Plan {
  Operation operation;
  Layout left, right, result;
  std::vector<cublasLtMatmulHeuristicResult_t> candidates;
  std::size_t chosen = 0;
};

Plan make_plan(cublasLtHandle_t handle, const Key& k) {
  Plan plan{{},
            {k.type, k.left, k.count},
            {k.type, k.right, k.count},
            {k.result_type, k.n, k.m, k.n, k.count},
            std::vector<cublasLtMatmulHeuristicResult_t>(autotune() ? most_candidates : 1)};
  check(cublasLtMatmulDescCreate(plan.operation.place(), k.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
                                 CUDA_R_32F),
        name, "describe the product");
  set(plan.operation, CUBLASLT_MATMUL_DESC_TRANSA, k.left.turned ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(plan.operation, CUBLASLT_MATMUL_DESC_TRANSB, k.right.turned ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(plan.operation, CUBLASLT_MATMUL_DESC_EPILOGUE, k.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT);
  Preference preference;
  check(cublasLtMatmulPreferenceCreate(preference.place()), name, "state a preference");
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_limit);
  // Parts of a sum are added in float, not in the type of the result.
  set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, std::uint32_t{k.alignment[0]});
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, std::uint32_t{k.alignment[1]});
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, std::uint32_t{k.alignment[2]});
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, std::uint32_t{k.alignment[3]});
  int found = 0;
  auto const wanted = static_cast<int>(plan.candidates.size());
  check(
      cublasLtMatmulAlgoGetHeuristic(handle, plan.operation.get(), plan.left.get(), plan.right.get(), plan.result.get(),
                                     plan.result.get(), preference.get(), wanted, plan.candidates.data(), &found),
      name, "find an algorithm");
  plan.candidates.resize(static_cast<std::size_t>(found));
  std::erase_if(plan.candidates, [](const auto& candidate) { return candidate.state != CUBLAS_STATUS_SUCCESS; });
  require(!plan.candidates.empty(), "matmul: cuBLASLt has no algorithm for a product of ", k.m, " x ", k.n);
  return plan;
}

// Never destroyed, as the runtime is not.
struct Library {
  std::mutex mutex;  // of what follows, and of the plans while they are used
  std::map<int, cublasLtHandle_t> handles;
  std::map<Key, Plan> plans;

  cublasLtHandle_t handle(int device) {
    auto& handle = handles[device];
    if (handle == nullptr) check(cublasLtCreate(&handle), name, "begin");
    return handle;
  }
};
Library& library() {
  static auto* const one = new Library;
  return *one;
}

// An operand of ours, (rows, columns) by element strides of which one is 1, is one of cuBLASLt's (columns, rows).
Operand operand(Index rows, Index columns, Index row_stride, Index column_stride) {
  if (column_stride == 1) return {columns, rows, std::max(row_stride, columns), false};
  return {rows, columns, std::max(column_stride, rows), true};
}

unsigned alignment(const void* pointer) {
  auto const address = reinterpret_cast<std::uintptr_t>(pointer);
  return std::min(256u, address == 0 ? 256u : 1u << std::min(8, std::countr_zero(address)));
}

template <class T>
constexpr cudaDataType_t type_of = std::is_same_v<T, float> ? CUDA_R_32F : CUDA_R_16BF;

}  // namespace

template <class T>
void multiply(const MatmulProblem<T, Cuda>& p, Index count) {
  void* const result = p.full ? static_cast<void*>(p.full.address()) : p.out.address();
  const void* const addend = p.residual ? static_cast<const void*>(p.residual.address()) : result;
  const void* bias = p.bias.address();
  std::optional<Workspace<T>> rounded;  // cuBLASLt wants a bias of the result's type
  if (std::is_same_v<T, bf16> && bias != nullptr) {
    rounded.emplace(p.n);
    if constexpr (std::is_same_v<T, bf16>) cast<bf16, float>(p.bias, Pointer<bf16>(rounded->data()), p.n);
    bias = rounded->data();
  }
  Key const key{selected_device(),
                type_of<T>,
                p.full ? CUDA_R_32F : type_of<T>,
                p.n,
                p.m,
                count,
                operand(p.k, p.n, p.b_k_stride, p.b_n_stride),
                operand(p.m, p.k, p.a_row_stride, p.a_k_stride),
                bias != nullptr,
                static_cast<bool>(p.residual),
                std::is_same_v<T, float> && allow_tf32(),
                {alignment(p.b.address()), alignment(p.a.address()), alignment(addend),
                 std::min(alignment(result), alignment(bias))}};

  Library& lib = library();
  std::lock_guard const lock(lib.mutex);
  auto const handle = lib.handle(key.device);
  auto found = lib.plans.find(key);
  bool const is_new = found == lib.plans.end();
  if (is_new) found = lib.plans.emplace(key, make_plan(handle, key)).first;
  Plan& plan = found->second;
  if (bias != nullptr) set(plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  auto const run = [&](std::size_t i) {
    float const one = 1, factor = p.residual ? 1.0f : 0.0f;
    auto const& candidate = plan.candidates[i];
    Workspace<std::byte> workspace(static_cast<Index>(candidate.workspaceSize));
    check(
        cublasLtMatmul(handle, plan.operation.get(), &one, p.b.address(), plan.left.get(), p.a.address(),
                       plan.right.get(), &factor, addend, plan.result.get(), result, plan.result.get(), &candidate.algo,
                       workspace.data(), candidate.workspaceSize, static_cast<cudaStream_t>(current_stream())),
        name, "multiply");
  };
  if (is_new) plan.chosen = fastest(plan.candidates.size(), run);
  run(plan.chosen);
  after_launch(name);
}

template void multiply<float>(const MatmulProblem<float, Cuda>&, Index);
template void multiply<bf16>(const MatmulProblem<bf16, Cuda>&, Index);

}  // namespace stipple::cuda::products
