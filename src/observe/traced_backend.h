// A backend whose training plans tell a SpanSink, in the lane "compute", when each bucket of gradients was ready: the first
// span of a worker is its forward pass and the backward pass down to bucket 0, each further one the backward pass to the
// next bucket. Everything else is the inner backend's; the sink belongs to the caller.
#pragma once

#include <memory>

#include "base/spans.h"
#include "port/backend.h"

namespace convoy {

std::unique_ptr<Backend> make_traced(std::unique_ptr<Backend> backend, SpanSink& sink);

}  // namespace convoy
