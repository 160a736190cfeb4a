#include "simulate/scenario.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace convoy::simulate {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

Json to_json(const Scenario& s) {
  Json buckets = Json::array();
  for (const ReadyBucket& bucket : s.buckets) buckets.push_back({bucket.begin, bucket.end, bucket.ready});
  return {{"ranks", s.ranks},
          {"ranks_per_node", s.ranks_per_node},
          {"algorithm", s.algorithm},
          {"wire", s.wire},
          {"wire_scale", s.wire_scale},
          {"buckets", buckets},
          {"compute", s.compute},
          {"after", s.after},
          {"sum_bandwidth", s.sum_bandwidth},
          {"packed", s.packed},
          {"message", s.message},
          {"spread", s.spread},
          {"seed", s.seed},
          {"iterations", s.iterations},
          {"slow_node", s.slow_node},
          {"slow_factor", s.slow_factor},
          {"slow_link", s.slow_link},
          {"link_factor", s.link_factor},
          {"traced_ranks", s.traced_ranks},
          {"sums_file", s.sums_file},
          {"sizes", s.sizes}};
}

Scenario scenario_of(const Json& json) {
  Scenario s;
  json.at("ranks").get_to(s.ranks);
  json.at("ranks_per_node").get_to(s.ranks_per_node);
  json.at("algorithm").get_to(s.algorithm);
  json.at("wire").get_to(s.wire);
  json.at("wire_scale").get_to(s.wire_scale);
  for (const Json& bucket : json.at("buckets"))
    s.buckets.push_back(
        {bucket.at(0).get<int64_t>(), bucket.at(1).get<int64_t>(), bucket.at(2).get<double>()});
  json.at("compute").get_to(s.compute);
  json.at("after").get_to(s.after);
  json.at("sum_bandwidth").get_to(s.sum_bandwidth);
  json.at("packed").get_to(s.packed);
  json.at("message").get_to(s.message);
  json.at("spread").get_to(s.spread);
  json.at("seed").get_to(s.seed);
  json.at("iterations").get_to(s.iterations);
  json.at("slow_node").get_to(s.slow_node);
  json.at("slow_factor").get_to(s.slow_factor);
  json.at("slow_link").get_to(s.slow_link);
  json.at("link_factor").get_to(s.link_factor);
  json.at("traced_ranks").get_to(s.traced_ranks);
  json.at("sums_file").get_to(s.sums_file);
  json.at("sizes").get_to(s.sizes);
  return s;
}

Json to_json(const Answer& a) {
  Json iterations = Json::array(), spans = Json::array();
  for (const IterationTimes& one : a.iterations) iterations.push_back({one.begin, one.end, one.compute_max});
  for (const SimulatedSpan& span : a.spans)
    spans.push_back({span.rank, span.lane, span.name, span.number, span.begin, span.end});
  return {{"iterations", iterations}, {"size_seconds", a.size_seconds},
          {"spans", spans},           {"digest", a.digest},
          {"wall", a.wall},           {"peak_bytes", a.peak_bytes}};
}

Answer answer_of(const Json& json) {
  Answer a;
  for (const Json& one : json.at("iterations"))
    a.iterations.push_back({one.at(0).get<double>(), one.at(1).get<double>(), one.at(2).get<double>()});
  json.at("size_seconds").get_to(a.size_seconds);
  for (const Json& one : json.at("spans"))
    a.spans.push_back({one.at(0).get<int>(), one.at(1).get<std::string>(), one.at(2).get<std::string>(),
                       one.at(3).get<int>(), one.at(4).get<double>(), one.at(5).get<double>()});
  json.at("digest").get_to(a.digest);
  json.at("wall").get_to(a.wall);
  json.at("peak_bytes").get_to(a.peak_bytes);
  return a;
}

float planted_gradient(int rank, int64_t i) {
  const uint32_t mixed =
      static_cast<uint32_t>(i) * 2654435761u + static_cast<uint32_t>(rank) * 2246822519u + 374761393u;
  const auto mantissa = static_cast<int32_t>(mixed >> 8) - (1 << 23);  // 24 bits, both signs
  return std::ldexp(static_cast<float>(mantissa), -static_cast<int>(mixed % 20) - 23);
}

}  // namespace convoy::simulate
