// Minibatches as a pure function of (step, worker). Prefetching, threads and caches are the implementation's own and
// never change a bit of what is returned.
#pragma once

#include <cstdint>

#include "port/batch.h"

namespace convoy {

class Loader {
 public:
  virtual ~Loader() = default;
  // The batch stays valid until the second next call of next() (two slots). Throws what the reader threads met.
  virtual Batch next(int64_t step, int worker) = 0;
  virtual int64_t samples() const = 0;  // images in the dataset
  virtual int classes() const = 0;
  // Seconds the caller has waited in next() so far.
  virtual double waited_seconds() const = 0;
};

}  // namespace convoy
