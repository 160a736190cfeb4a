// A loop over independent pieces on several threads of this process, for pack and verify. Pieces are taken one by one in
// ascending order, so that the pieces' cost need not be known. The first exception stops the loop and is rethrown in
// the caller after every thread has ended. Nothing runs on after the call.
#pragma once

#include <cstdint>
#include <functional>

namespace convoy {

// body(piece, thread) for piece in [0, pieces); thread in [0, threads) names scratch memory.
void parallel_for(int64_t pieces, int threads, const std::function<void(int64_t piece, int thread)>& body);

// `wanted`, or for 0 the number of cores this process may run on.
int thread_count(int wanted);

}  // namespace convoy
