#include "cli/observe.h"

#include <algorithm>

#include "base/error.h"
#include "observe/energy_meter.h"
#include "observe/mllog.h"
#include "observe/prometheus.h"
#include "observe/tensorboard.h"
#include "observe/times_record.h"
#include "observe/traced_backend.h"
#include "train/schedule.h"

namespace convoy::cli {
namespace {

bool wanted(const ObserveFlags& flags, const char* name) {
  return std::find(flags.what.begin(), flags.what.end(), name) != flags.what.end();
}

}  // namespace

void add_observe_flags(CLI::App& command, ObserveFlags& flags) {
  command
      .add_option(
          "--observe", flags.what,
          "what watches the run, changing no bit, or none: times (times.jsonl: where each rank's time goes, and "
          "advice), tensorboard (its event file), mllog (MLPerf's mllog.txt), prometheus (metrics.prom), energy "
          "(RAPL and NVML, in the result)")
      ->capture_default_str()
      ->allow_extra_args(false)
      ->delimiter(',')
      ->check(CLI::IsMember({"times", "tensorboard", "mllog", "prometheus", "energy", "none"}));
  command.add_option(
      "--trace", flags.trace,
      "write a trace for ui.perfetto.dev here: computing, communication and input of every rank, "
      "its first 131072 spans");
  command.add_option("--trace-steps", flags.trace_steps,
                     "steps of the trace, 10:20 is 10 to 19 (default file: RUN/trace.json)");
}

Tracing::Tracing(const ObserveFlags& flags, bool writes) {
  require(!wanted(flags, "none") || flags.what.size() == 1, Exit::usage,
          "--observe none goes with nothing else");
  if (!flags.trace_steps.empty()) steps = parse_trace_steps(flags.trace_steps);
  const std::filesystem::path folder = std::filesystem::path(flags.trace).parent_path();
  require(!writes || folder.empty() || std::filesystem::is_directory(folder), Exit::usage,
          "there is no folder {} for the trace: make it, or name another file", folder.string());
  if (flags.traces()) store.emplace(trace_limit);
}

std::unique_ptr<Backend> Tracing::around(std::unique_ptr<Backend> backend) {
  return store ? make_traced(std::move(backend), *store) : std::move(backend);
}

std::unique_ptr<Observers> observe(const ObserveFlags& flags, Tracing& tracing, std::unique_ptr<Record> run,
                                   const Observed& observed) {
  const auto& [experiment, train, held_out, directory, comm, log] = observed;
  const Schedule schedule(experiment, train.samples);
  auto observers = std::make_unique<Observers>(std::move(run), log);
  if (wanted(flags, "times"))
    observers->add_collective(std::make_unique<TimesRecord>(directory.root / "times.jsonl", comm, log));
  if (wanted(flags, "energy")) observers->set(std::make_unique<EnergyMeter>(comm, EnergySources{}));
  if (tracing.store) {
    const std::filesystem::path file =
        flags.trace.empty() ? directory.root / "trace.json" : std::filesystem::path(flags.trace);
    observers->add_collective(std::make_unique<Trace>(file, tracing.steps, *tracing.store, comm, log));
  }
  if (comm.rank() != 0) return observers;
  if (wanted(flags, "tensorboard"))
    observers->add(std::make_unique<TensorBoard>(directory.root, comm.host(), schedule.global()));
  if (wanted(flags, "mllog"))
    observers->add(std::make_unique<MlLog>(directory.root / "mllog.txt", experiment, train, held_out));
  if (wanted(flags, "prometheus"))
    observers->add(
        std::make_unique<Prometheus>(directory.root / "metrics.prom",
                                     PrometheusFacts{directory.root.filename().string(), experiment.name,
                                                     schedule.global(), schedule.steps(), train.samples}));
  return observers;
}

}  // namespace convoy::cli
