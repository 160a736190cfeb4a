// The one translation unit that includes cudnn-frontend: 20 s to compile without its JSON, which nothing here needs (a plan's
// own serialized form is text of cuDNN's). The frontend describes graphs and owns descriptors; lists of engines, their
// notes and the choice among them are taken from cuDNN itself.
#include "backends/cudnn/graphs.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <set>
#include <utility>
#include <variant>

#include "backends/cudnn/engine_choice.h"
#include "backends/cudnn/mapper.h"
#include "backends/cudnn/mapper_mainloop.h"
#include "backends/cudnn/operands.h"
#include "base/error.h"

namespace convoy::cudnn {

namespace {

struct NotSupported {
  std::string reason;
};
void check(fe::error_t status) {
  if (status.is_bad()) throw NotSupported{status.get_message()};
}

void check_workspace(size_t bytes, const Demands& demands) {
  if (bytes > demands.workspace_limit)
    throw NotSupported{fmt::format(
        "{:.0f} MB of workspace are wanted, and {:.0f} MB are the limit: give fewer images, or take the "
        "backend cudnn where this is cudnn-mainloop",
        1e-6 * static_cast<double>(bytes), 1e-6 * static_cast<double>(demands.workspace_limit))};
}

std::shared_ptr<const fe::DeviceProperties> properties_of(const Target& target) {
  if (target.handle != nullptr) return nullptr;
  auto properties = std::make_shared<fe::DeviceProperties>();
  const fe::error_t status = properties->deserialize({target.description.begin(), target.description.end()});
  require(status.is_good(), "{} does not take this description of a device (9.11 or newer is needed): {}",
          library_version(), target.description);
  return properties;
}

std::vector<cudnnBackendNumericalNote_t> notes_of(const fe::ManagedOpaqueDescriptor& config) {
  fe::detail::backend_descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t raw = engine.get_ptr();
  int64_t count = 0;
  std::vector<cudnnBackendNumericalNote_t> notes(CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
  const bool known =
      cudnnBackendGetAttribute(config->get_backend_descriptor(), CUDNN_ATTR_ENGINECFG_ENGINE,
                               CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &raw) == CUDNN_STATUS_SUCCESS &&
      cudnnBackendGetAttribute(raw, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                               CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count, notes.data()) == CUDNN_STATUS_SUCCESS;
  require(known, "cuDNN says nothing of an engine's arithmetic: {}", library_version());
  notes.resize(static_cast<size_t>(count));
  return notes;
}

bool acceptable(const fe::ManagedOpaqueDescriptor& config, const Demands& demands) {
  for (const cudnnBackendNumericalNote_t note : notes_of(config)) {
    switch (note) {
      case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
        if (demands.repeatable) return false;
        break;
      case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
      case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
        if (demands.precision == Precision::f32) return false;
        break;
      case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
      case CUDNN_NUMERICAL_NOTE_FFT:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
        return false;
      default:
        break;
    }
  }
  return true;
}

// cuDNN loads NVRTC for each graph it looks at and drops it again, which takes longer than the looking: one more reference
// keeps it. Where it is not there, cuDNN has its precompiled engines.
void keep_compiler() {
  static const void* const kept =
      dlopen(CUDART_VERSION >= 12000 ? "libnvrtc.so." CONVOY_CUDA_MAJOR : "libnvrtc.so.11.2", RTLD_LAZY);
  static_cast<void>(kept);
}

// cuDNN's own words: its first "Reason", else the first line.
std::string shortened(const std::string& message) {
  const size_t reason = message.find("Reason: ");
  const size_t from = reason == std::string::npos ? 0 : reason + 8;
  return message.substr(from, message.find('\n', from) - from);
}

// Shows `use` the graph and one engine after another, mode A's proposals and then the fallback's, until it says true. What is
// returned is why the last one was not taken.
template <class Use>
std::string propose(const Operation& operation, std::span<const Tensor> tensors, const Demands& demands,
                    const Target& target, const Use& use) {
  keep_compiler();
  Mapper mapper(tensors);
  std::visit(mapper, operation);
  std::string reason;
  size_t proposed = 0, acceptable_ones = 0;
  try {
    const auto properties = properties_of(target);
    if (properties) mapper.graph->set_device_properties(properties);
    check(mapper.graph->build(static_cast<cudnnHandle_t>(target.handle)));
    std::set<std::string> seen;  // the fallback's list repeats some of mode A's
    for (const fe::HeurMode_t mode : {fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}) {
      fe::EngineConfigList engines;
      fe::error_t status = fe::detail::query_cudnn_heuristics_impl(mapper.graph->operation_graph, engines,
                                                                   {mode}, -1, properties);
      if (status.is_bad()) reason = status.get_message();
      proposed += engines.size();
      for (const auto& engine : engines) try {
          if (!acceptable(engine, demands) || !seen.insert(fe::detail::get_engine_tag(engine)).second)
            continue;
          ++acceptable_ones;
          if (use(mapper, engine)) return {};
        } catch (const NotSupported& refusal) {
          reason = refusal.reason;
        }
    }
  } catch (const NotSupported& refusal) {
    reason = refusal.reason;
  }
  if (proposed > 0 && acceptable_ones == 0)
    return fmt::format("of {} engines none has the arithmetic asked for", proposed);
  return shortened(reason);
}

std::shared_ptr<fe::ExecutionPlan> make_plan(const fe::ManagedOpaqueDescriptor& engine) {
  std::shared_ptr<fe::ExecutionPlan> plan;
  check(fe::detail::create_cudnn_execution_plan(plan, engine, std::string(), nullptr));
  return plan;
}

// Before 9.2 only building tells.
int64_t workspace_of(fe::ManagedOpaqueDescriptor engine) {
  if (CUDNN_VERSION < 90200 || cudnnGetVersion() < 90200) return make_plan(engine)->getWorkspaceSize();
  int64_t bytes = 0;
  check(fe::detail::get_workspace_size(engine, bytes));
  return bytes;
}

class GraphPlan : public LibraryPlan {
 public:
  GraphPlan(std::shared_ptr<Graph> graph, Layout layout, std::shared_ptr<fe::ExecutionPlan> plan)
      : graph_(std::move(graph)), layout_(std::move(layout)), plan_(std::move(plan)) {}

  std::string engine() const override { return plan_->getTag(); }
  size_t workspace_bytes() const override { return library_workspace() + layout_.scratch_bytes; }
  std::vector<float> constants() const override { return layout_.constants; }
  std::string serialize() const override { return plan_->getJsonRepresentation(); }

  void execute(void* handle, const DeviceMemory& memory) override {
    std::vector<void*> pointers;
    std::vector<int64_t> ids;
    for (Port& port : layout_.ports) {
      pointers.push_back(place(port, memory));
      ids.push_back(static_cast<int64_t>(pointers.size()));
    }
    fe::error_t status =
        fe::detail::execute(static_cast<cudnnHandle_t>(handle), plan_.get(), pointers, ids, memory.workspace);
    require(status.is_good(), "cuDNN's {} did not run: {}", engine(), status.get_message());
  }

 private:
  size_t library_workspace() const { return aligned(static_cast<size_t>(plan_->getWorkspaceSize())); }
  void* place(Port& port, const DeviceMemory& memory) const {
    switch (port.where) {
      case Port::Where::tensor:
        return memory.address[static_cast<size_t>(port.id)] + port.offset;
      case Port::Where::constants:
        return memory.constants + port.offset;
      case Port::Where::scratch:
        return memory.workspace + library_workspace() + port.offset;
      case Port::Where::host:
        return &port.value;
    }
    return nullptr;
  }

  std::shared_ptr<Graph>
      graph_;  // its descriptors live as long as the plan; none where the plan was restored
  Layout layout_;
  std::shared_ptr<fe::ExecutionPlan> plan_;
};

std::string name_of(const Target& target) {
  return target.handle != nullptr ? "this GPU" : "the device described";
}

}  // namespace

Survey survey(const Operation& operation, std::span<const Tensor> tensors, const Demands& demands,
              const Target& target, size_t most) {
  Survey found;
  found.reason = propose(operation, tensors, demands, target, [&](const Mapper&, const auto& engine) {
    const auto bytes = static_cast<size_t>(workspace_of(engine));
    check_workspace(bytes, demands);
    found.engines.push_back({fe::detail::get_engine_tag(engine), bytes});
    return found.engines.size() >= most;
  });
  return found;
}

std::unique_ptr<LibraryPlan> build(const Operation& operation, std::span<const Tensor> tensors,
                                   const Demands& demands, const Target& target, const Timer& timer,
                                   int tried) {
  Choice choice(timer, tried);
  std::string reason =
      propose(operation, tensors, demands, target, [&](const Mapper& mapper, const auto& engine) {
        auto made = std::make_unique<GraphPlan>(mapper.graph, mapper.layout, make_plan(engine));
        check_workspace(made->workspace_bytes(), demands);
        return choice.offer(std::move(made));
      });
  std::unique_ptr<LibraryPlan> best = choice.take();
  if (!choice.reason().empty()) reason = choice.reason();
  require(best != nullptr, "{} has no engine on {} in {}{} for {} ({}): {}", library_version(),
          name_of(target), name_of(demands.precision), demands.repeatable ? ", repeatable," : "",
          subject_of(operation, tensors), describe(operation, tensors), reason);
  return best;
}

std::unique_ptr<LibraryPlan> restore(const Operation& operation, std::span<const Tensor> tensors,
                                     const std::string& serialized, void* handle) {
  Mapper mapper(tensors);
  std::visit(mapper, operation);
  std::shared_ptr<fe::ExecutionPlan> plan;
  const fe::error_t status =
      fe::detail::create_cudnn_execution_plan(plan, serialized, static_cast<cudnnHandle_t>(handle));
  if (status.is_bad()) return nullptr;
  return std::make_unique<GraphPlan>(nullptr, std::move(mapper.layout), std::move(plan));
}

std::string library_version() {
  const size_t v = cudnnGetVersion();  // 9.19.0 is 91900, 8.9.7 is 8907
  const size_t major = v >= 90000 ? 10000 : 1000;
  return fmt::format("cuDNN {}.{}.{}", v / major, v % major / 100, v % 100);
}

}  // namespace convoy::cudnn
