// A minibatch of pictures (port/picture.h) on its way to the device, in the place of f32 planes: what fits at a time is packed
// into page-locked memory - a table, the filters, the pixels - and copied as one piece; files are decoded there; one own
// operation makes the planes of all that have come. The next group is packed while the device works on this one.
// Nothing here waits but for page-locked memory that is still being read, and for a decoder that is at work. Memory, all of it
// from the start: two rooms of the host's and one of the device's, of 16 MiB or what the largest picture needs
// (port/picture_limits.h), and where files come one of 64 MiB for their pixels.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "backends/fused/placement.h"
#include "port/batch.h"

namespace convoy::fused {

class PictureStage {
 public:
  // `planes`: f32 [images][3][side][side] of the device. `decodes`: files come, too.
  PictureStage(Device& device, int images, int side, std::byte* planes, int threads, bool decodes);
  PictureStage(const PictureStage&) = delete;  // the operation has addresses in it
  PictureStage& operator=(const PictureStage&) = delete;
  void send(const Batch& batch, Queue& queue);
  size_t bytes() const;

 private:
  struct Group {
    size_t begin = 0, end = 0, packed = 0, decoded = 0;  // pictures; bytes of either room
  };
  Group group_from(size_t begin, std::span<const Picture> pictures) const;
  void pack(const Group& group, const Batch& batch, std::byte* to);
  size_t table_bytes() const;

  int images_, threads_;
  size_t packed_room_, decoded_room_;
  std::array<Memory, 2> pinned_;
  std::array<std::unique_ptr<Mark>, 2> copied_;  // out of the pinned room
  size_t turn_ = 0;
  Memory packed_, decoded_;
  std::array<Tensor, 2> tensors_;  // the table, the planes
  std::array<std::byte*, 2> address_;
  std::unique_ptr<Code> resize_;
  std::unique_ptr<JpegDecoder> decoder_;
  std::unique_ptr<Mark> decoder_done_;
  std::vector<size_t> offset_, decoded_offset_;  // by picture of the batch, in its group's rooms
  std::vector<JpegFile> files_;
};

}  // namespace convoy::fused
