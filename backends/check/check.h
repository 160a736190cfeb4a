// A backend that runs two: every plan of `subject` is accompanied by one of `oracle` on an arena of its own with the
// same weights, both without fusion. Each run is compared node by node (compare.h) before its gradients are handed on;
// the first difference is an Error that names it. Results, device and vector are the subject's. Slow: for finding bugs.
#pragma once

#include <memory>

#include "port/backend.h"

namespace convoy {

struct CheckOptions {
  double k = 16.0;  // of the rounding bound in compare.h; 0 asks for equal bits
};

std::unique_ptr<Backend> make_check(std::unique_ptr<Backend> oracle, std::unique_ptr<Backend> subject,
                                    const CheckOptions& options = {});

}  // namespace convoy
