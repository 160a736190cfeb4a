#include "train/evaluate.h"

#include <array>

#include "base/error.h"

namespace convoy {

Totals evaluate(Plan& plan, Loader& held_out, int images, Communicator& comm, const BatchSeen& each) {
  const int64_t samples = held_out.samples();
  plan.totals();  // starts again at zero
  for (int64_t turn = 0; turn * comm.size() * images < samples; ++turn) {
    const int64_t first = (turn * comm.size() + comm.rank()) * images;
    if (first >= samples) continue;
    const Batch batch = held_out.next(turn, comm.rank());
    plan.infer(batch);
    if (each) each(first, batch);
  }
  const Totals mine = plan.totals();
  std::array<int64_t, 5> sums{mine.images, mine.correct1, mine.correct5, mine.loss, mine.nonfinite};
  comm.sum(sums);
  require(sums[0] == samples,
          "internal error: the evaluation counted {} images of the {} there are: please report it with the "
          "command you ran",
          sums[0], samples);
  return {.images = sums[0], .correct1 = sums[1], .correct5 = sums[2], .loss = sums[3], .nonfinite = sums[4]};
}

}  // namespace convoy
