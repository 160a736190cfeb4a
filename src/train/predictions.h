// What a network said about every held-out image, so that two runs can be held against each other image by image
// (McNemar's test needs the images that only one has right). A text file of one line an image, in the set's order:
//   # convoy.predictions/1 held_out=FINGERPRINT weights=DIGEST steps=N
//   label,predicted,rank
//   3,3,0
// rank: classes with a larger logit than the label's, or an equal one and a lower index: 0 is correct, below 5 top-5.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/program.h"
#include "train/evaluate.h"

namespace convoy {

struct Prediction {
  int32_t label = -1, predicted = -1, rank = -1;
};

struct Predictions {
  std::string held_out, weights;  // fingerprint of the set, digest of the weights
  int64_t steps = 0;
  std::vector<Prediction> images;
};

// evaluate(), which also fills `images` on every rank, from the logits of `program`'s loss.
Totals evaluate(Plan& plan, const Program& program, Loader& held_out, Communicator& comm,
                std::vector<Prediction>& images);

void write_predictions(const std::filesystem::path& path, const Predictions& predictions);  // atomic
// nullopt where the text is no such file, or not a whole one.
std::optional<Predictions> parse_predictions(std::string_view text);

}  // namespace convoy
