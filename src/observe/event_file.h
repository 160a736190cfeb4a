// TensorBoard's event file, written by hand. A TFRecord is
//   u64 length | u32 masked CRC-32C of these 8 bytes | bytes | u32 masked CRC-32C of the bytes     (little-endian)
// and its bytes are a protobuf Event (tensorflow/core/util/event.proto; summary.proto):
//   Event   {1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary, 7: SessionLog}
//   Summary {1: repeated Value {1: string tag, 2: float simple_value}}    SessionLog {1: enum status, START = 1}
// The first Event says file_version = "brain.Event:2". Functions that return records, and no state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace convoy {

using Scalars = std::vector<std::pair<std::string_view, double>>;  // tag, value; stored as float

std::string version_record(double wall_time);
// Readers drop what an earlier file says of `step` and later: a resumed run repeats it.
std::string start_record(double wall_time, int64_t step);
std::string scalars_record(double wall_time, int64_t step, const Scalars& scalars);

}  // namespace convoy
