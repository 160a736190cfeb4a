// Who knows when an Event of port/batch.h that carries a handle has happened: a GPU's streams, a simulated clock. Events
// without a handle have happened, and are asked of nobody.
#pragma once

#include "port/batch.h"

namespace convoy {

class Events {
 public:
  virtual ~Events() = default;
  virtual bool happened(Event event) = 0;
  virtual void await(Event event) = 0;  // returns when it has
};

}  // namespace convoy
