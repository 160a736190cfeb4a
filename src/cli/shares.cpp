#include "cli/shares.h"

#include <charconv>
#include <sstream>

#include "base/error.h"
#include "cli/measure.h"
#include "comm/shares.h"

namespace convoy::cli {

std::vector<int> read_shares(const std::string& list) {
  std::vector<int> counts;
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');) {
    int& count = counts.emplace_back();
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
    require(error == std::errc() && end == word.data() + word.size(), Exit::usage,
            "--shares {}: give a number of workers for every rank, with commas between, or auto", list);
  }
  return counts;
}

std::vector<int> shares_by_speed(const Experiment& experiment, const std::string& road, Backend& backend,
                                 Communicator& comm, const Voice& voice) {
  require(road == "library", Exit::usage, "--shares auto needs --road library: the tree's are equal");
  const auto [runs, images] = runs_of(experiment);
  const std::vector<double> speeds = speeds_of_ranks(comm, experiment, backend);
  std::vector<int> workers;
  for (const int count : counts_by_speed(runs, speeds))
    workers.push_back(count * workers_together(experiment));
  const Log log = voice.log(comm.rank(), comm.host());
  for (size_t rank = 0; rank < speeds.size() && comm.rank() == 0; ++rank)
    log.info("rank {} computes {:.1f} images/s: it runs {} of {} workers", rank, speeds[rank] * images,
             workers[rank], experiment.minibatch.workers);
  return workers;
}

}  // namespace convoy::cli
