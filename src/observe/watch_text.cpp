#include "observe/watch_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

enum class Colour { none, good, bad, dim, strong };

class Paint {
 public:
  explicit Paint(bool on) : on_(on) {}
  std::string operator()(Colour colour, const std::string& text) const {
    static constexpr const char* codes[] = {"", "32", "31", "2", "1"};
    const char* code = codes[static_cast<size_t>(colour)];
    return on_ && *code != '\0' && !text.empty() ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
  }

 private:
  bool on_;
};

Colour colour_of(const RunState& s) {
  if (s.status == "completed") return Colour::good;
  return s.ended() && s.status != "time_limit" ? Colour::bad : Colour::strong;
}

double number(const Json& json, const char* key) {
  return json.is_object() && json.contains(key) && json[key].is_number() ? json[key].get<double>() : NAN;
}

const Json& part(const Json& json, const char* key) {
  static const Json nothing;
  return json.is_object() && json.contains(key) ? json[key] : nothing;
}

std::string word(const Json& json, const char* key) {
  const Json& value = part(json, key);
  return value.is_string() ? printable(value.get<std::string>(), 500) : "?";
}

std::string held_out(const Json& e) {
  if (std::isnan(number(e, "held_out_top1"))) return "";
  return fmt::format("top-1 {:.2f} %, top-5 {:.2f} %, loss {:.4f} after epoch {:.2f}",
                     100 * number(e, "held_out_top1"), 100 * number(e, "held_out_top5"),
                     number(e, "held_out_loss"), number(e, "epoch"));
}

std::string slowest(const Json& times) {
  const Json& slow = part(times, "slowest");
  if (!slow.is_object()) return "";
  std::string text = fmt::format("rank {:.0f} ({})", number(slow, "rank"), word(slow, "host"));
  for (const Json& rank : part(times, "ranks"))
    if (number(rank, "rank") == number(slow, "rank"))
      text += fmt::format(", own work {:.3g} s a step (p95 {:.3g} s)", number(rank, "own_p50_s"),
                          number(rank, "own_p95_s"));
  return text + fmt::format(", {:.0f} % above the median", 100 * number(slow, "behind_median"));
}

std::string share_text(const Json& share) {
  if (!share.is_object()) return "";
  const auto percent = [&](const char* key) { return 100 * number(share, key); };
  return fmt::format(
      "{:.0f} % computing, {:.0f} % waiting for images, {:.0f} % exposed communication, {:.0f} % for the slowest rank, "
      "{:.0f} % optimizer, {:.0f} % other",
      percent("compute"), percent("data_wait"), percent("communication_exposed"), percent("imbalance"),
      percent("optimizer"), percent("other"));
}

std::string bar(const RunState& s, int width) {
  if (s.steps_planned <= 0 || width < 10) return "";
  const double share =
      std::clamp(static_cast<double>(s.steps_done) / static_cast<double>(s.steps_planned), 0.0, 1.0);
  const auto full = static_cast<size_t>(share * width);
  return fmt::format("[{}{}] {:.0f} %", std::string(full, '#'),
                     std::string(static_cast<size_t>(width) - full, '-'), 100 * share);
}

std::string progress(const RunState& s) {
  std::string text = fmt::format("step {}", s.steps_done);
  if (s.steps_planned > 0) text += fmt::format("/{}", s.steps_planned);
  if (s.samples > 0) text += fmt::format("  epoch {:.2f}", s.epochs());
  return text;
}

std::string figures(const RunState& s) {
  std::string text;
  const auto add = [&](const std::string& piece) { text += (text.empty() ? "" : "  ") + piece; };
  if (s.loss) add(fmt::format("loss {:.4f}", *s.loss));
  if (s.top1) add(fmt::format("top-1 {:.2f} %", 100 * *s.top1));
  if (s.rate) add(fmt::format("rate {:.4g}", *s.rate));
  if (s.images_per_s) add(fmt::format("{:.4g} images/s", *s.images_per_s));
  return text;
}

std::string end_of(const RunState& s) {
  std::string text = s.status;
  if (s.exit_code) text += fmt::format(", exit code {}", *s.exit_code);
  if (!s.reason.empty()) text += ": " + s.reason;
  return text;
}

std::string where(const RunState& s) {
  if (s.ranks == 0) return "";
  return fmt::format("{} rank{} on {} host{}", s.ranks, s.ranks == 1 ? "" : "s", s.hosts,
                     s.hosts == 1 ? "" : "s");
}

}  // namespace

std::vector<std::string> watch_block(const RunState& s, bool colour, int columns) {
  const Paint paint(colour);
  std::vector<std::string> lines;
  const auto add = [&](const char* label, const std::string& text, Colour tint = Colour::none) {
    if (text.empty()) return;
    constexpr size_t margin = 12;
    const size_t room = columns > 20 ? static_cast<size_t>(columns) - margin - 1 : std::string::npos;
    lines.push_back(paint(Colour::dim, fmt::format("{:<{}}", label, margin)) +
                    paint(tint, text.substr(0, room)));
  };
  add("run", s.run + (s.experiment.empty() || s.experiment == s.run ? "" : " (" + s.experiment + ")"),
      Colour::strong);
  add("state", s.ended() ? end_of(s) : s.status, colour_of(s));
  add("on", where(s));
  add("progress", progress(s) + "  " + bar(s, columns == 0 ? 40 : std::min(40, columns - 60)));
  if (!s.ended() && s.seconds_left) add("left", human_seconds(*s.seconds_left));
  add("training", figures(s));
  add("held out", held_out(s.evaluation));
  if (s.communication)
    add("now", fmt::format("{:.0f} % of the step exposed communication, {:.0f} % waiting for images (rank 0)",
                           100 * *s.communication, 100 * s.data_wait.value_or(0)));
  add("time", share_text(part(s.times, "share")));
  add("slowest", slowest(s.times));
  if (part(s.times, "advice").is_string()) add("advice", word(s.times, "advice"), Colour::strong);
  if (!s.ended() && s.quiet_seconds.value_or(0) > 60)
    add("silent", "no step for " + human_seconds(*s.quiet_seconds), Colour::bad);
  return lines;
}

std::string watch_line(const RunState& s) {
  std::string text = progress(s);
  const std::string more = figures(s);
  if (!more.empty()) text += "  " + more;
  if (s.communication) text += fmt::format("  exposed communication {:.0f} %", 100 * *s.communication);
  const Json& slow = part(s.times, "slowest");
  if (slow.is_object())
    text += fmt::format("  slowest rank {:.0f} ({})", number(slow, "rank"), word(slow, "host"));
  if (!std::isnan(number(s.evaluation, "held_out_top1")))
    text += fmt::format("  held-out top-1 {:.2f} %", 100 * number(s.evaluation, "held_out_top1"));
  if (s.ended()) return text + "  " + end_of(s);
  if (s.seconds_left) text += "  left " + human_seconds(*s.seconds_left);
  return text;
}

}  // namespace convoy
