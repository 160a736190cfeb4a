// The collection of files that break image readers: each must end as its MANIFEST.tsv says.
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "base/error.h"
#include "data/decode.h"
#include "decode_fixtures.h"

namespace convoy {
namespace {

using Row = std::map<std::string, std::string>;

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, '\t');) fields.push_back(field);
  return fields;
}

std::vector<Row> read_manifest(const std::filesystem::path& path) {
  std::ifstream in(path);
  REQUIRE(in);
  std::vector<Row> rows;
  std::string line;
  std::getline(in, line);
  const auto names = split(line);
  while (std::getline(in, line)) {
    const auto fields = split(line);
    Row row;
    for (size_t i = 0; i < names.size(); ++i) row[names[i]] = i < fields.size() ? fields[i] : "";
    rows.push_back(row);
  }
  return rows;
}

void check_pixels(const Image& image, const Row& row) {
  std::istringstream pillow(row.at("pillow_13.0.0"));  // "ok RGB 32x32"
  std::string verdict, mode, size;
  pillow >> verdict >> mode >> size;
  if (verdict != "ok") return;
  CHECK(size == std::to_string(image.width) + "x" + std::to_string(image.height));
  double sums[3] = {};
  for (size_t i = 0; i < image.rgb.size(); ++i) sums[i % 3] += image.rgb[i];
  std::istringstream means(row.at("mean_rgb_pillow"));
  for (const double sum : sums) {
    double wanted = -1;
    means >> wanted;
    CHECK(std::abs(sum / (static_cast<double>(image.rgb.size()) / 3) - wanted) <=
          0.00501);  // printed to two places
  }
}

}  // namespace

TEST_CASE("the 50 files that break image readers end as their manifest says") {
  const auto folder = fixtures::real_data("jpeg-quirks");
  if (folder.empty()) return;
  const auto rows = read_manifest(folder / "jpeg-quirks" / "MANIFEST.tsv");
  CHECK(rows.size() == 50);
  std::map<std::string, int> ends;
  int same_count = 0;
  for (const Row& row : rows) {
    INFO(row.at("file") << ", expected: " << row.at("expected"));
    const auto bytes = fixtures::read_bytes(folder / "jpeg-quirks" / row.at("file"));
    DecodeReport report;
    std::string end;
    try {
      const Image image = decode(bytes, &report);
      end = report.warnings > 0 ? "decodes+warn" : "decodes";
      check_pixels(image, row);
      same_count += report.warnings == std::stoll(row.at("warnings"));
    } catch (const Error& error) {
      end = "error";
      CHECK(std::string(error.what()).size() > 10);
    }
    if (row.at("expected") == "decodes or error")
      CHECK(end != "decodes+warn");
    else
      CHECK(end == row.at("expected"));
    ++ends[end];
  }
  std::cout << "jpeg-quirks:";
  for (const auto& [end, count] : ends) std::cout << " " << count << " " << end << ",";
  std::cout << " " << same_count << " of those decoded with the manifest's own number of warnings\n";
}

}  // namespace convoy
