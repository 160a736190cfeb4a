// convoy-simulate: simulates one Scenario on one platform, both given as files, and writes the answer: started by `convoy
// simulate`, which prepares and explains them. All ranks are threads of control of this process, in simulated time.
#include <smpi/smpi.h>
#include <sys/resource.h>

#include <chrono>
#include <exception>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "simulate/platform.h"
#include "simulate/smpi/rank.h"

namespace convoy::simulate {
namespace {

using Json = nlohmann::ordered_json;

// "node-17"'s connection, upwards and downwards: the first link of the way out and the last of the way in.
void slow_down(simgrid::s4u::Engine& engine, int node, double factor, int nodes) {
  const auto* host = engine.host_by_name(fmt::format("node-{}", node));
  const auto* other = engine.host_by_name(fmt::format("node-{}", (node + 1) % nodes));
  for (const bool out : {true, false}) {
    std::vector<simgrid::s4u::Link*> links;
    double latency = 0;
    (out ? host : other)->route_to(out ? other : host, links, &latency);
    require(!links.empty(), "the platform has no link at node {}", node);
    simgrid::s4u::Link* link = out ? links.front() : links.back();
    link->set_bandwidth(link->get_bandwidth() * factor);
  }
}

void simulate(simgrid::s4u::Engine& engine, const char* platform, const Scenario& scenario, const char* to) {
  const auto begin = std::chrono::steady_clock::now();
  for (const std::string& setting : plain_network()) simgrid::s4u::Engine::set_config(setting);
  SMPI_init();
  engine.load_platform(platform);
  const int nodes = (scenario.ranks + scenario.ranks_per_node - 1) / scenario.ranks_per_node;
  if (scenario.slow_link >= 0 && nodes > 1)
    slow_down(engine, scenario.slow_link, scenario.link_factor, nodes);
  SMPI_app_instance_register("convoy", nullptr, scenario.ranks);
  Together together(scenario);
  std::exception_ptr failure;
  for (int rank = 0; rank < scenario.ranks; ++rank) {
    const auto* host = engine.host_by_name(fmt::format("node-{}", rank / scenario.ranks_per_node));
    simgrid::s4u::ActorPtr actor =
        simgrid::s4u::Actor::init(fmt::format("rank-{}", rank), const_cast<simgrid::s4u::Host*>(host));
    actor->set_property("instance_id", "convoy");
    actor->set_property("rank", std::to_string(rank));
    actor->start([&together, &failure, rank] {
      try {
        simulate_rank(together, rank);
      } catch (const Error&) {
        if (!failure) failure = std::current_exception();
        simgrid::s4u::Actor::kill_all();
      }
    });
  }
  engine.run();
  if (failure) std::rethrow_exception(failure);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  together.answer.wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  together.answer.peak_bytes = static_cast<double>(usage.ru_maxrss) * 1024;
  replace_file(to, to_json(together.answer).dump(1) + "\n");
  SMPI_finalize();
}

}  // namespace
}  // namespace convoy::simulate

int main(int argc, char** argv) {
  using namespace convoy;
  try {
    require(argc >= 4, Exit::usage, "usage: convoy-simulate PLATFORM.xml SCENARIO.json ANSWER.json");
    // Its own arguments: the simulator tells of every setting and of the end unless it is told not to.
    std::string name = argv[0], quiet = "--log=root.threshold:warning";
    std::vector<char*> arguments{name.data(), quiet.data(), nullptr};
    int count = 2;
    simgrid::s4u::Engine engine(&count, arguments.data());
    const auto json = nlohmann::ordered_json::parse(read_text(argv[2]));
    simulate::simulate(engine, argv[1], simulate::scenario_of(json), argv[3]);
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "convoy-simulate: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    fmt::print(stderr, "convoy-simulate: {}\n", error.what());
    return static_cast<int>(Exit::failed);
  }
}
