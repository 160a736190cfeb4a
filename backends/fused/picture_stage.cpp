#include "backends/fused/picture_stage.h"

#include <algorithm>
#include <cstring>

#include "backends/fused/bodies_pictures.h"
#include "base/error.h"
#include "port/picture_limits.h"

namespace convoy::fused {
namespace {

size_t rounded(size_t bytes) { return (bytes + 255) / 256 * 256; }

size_t pixel_bytes(const Picture& picture) {
  return 3 * static_cast<size_t>(picture.width) * static_cast<size_t>(picture.height);
}

// Filters, then the pixels where they are not to be decoded.
size_t filter_bytes(const PictureSide& side) { return side.first.size_bytes() + side.weights.size_bytes(); }
size_t packed_bytes(const Picture& picture) {
  return rounded(filter_bytes(picture.across) + filter_bytes(picture.down) +
                 (picture.file ? 0 : picture.bytes.size()));
}
size_t decoded_bytes(const Picture& picture) { return picture.file ? rounded(pixel_bytes(picture)) : 0; }

// Copies from `here`, which lies at `there` on the device, on and on.
struct Packer {
  std::byte *here, *there;
  const std::byte* put(const void* from, size_t bytes) {
    std::memcpy(here, from, bytes);
    here += bytes;
    there += bytes;
    return there - bytes;
  }
  PictureSideRecord put(const PictureSide& side) {
    const auto words = [&](std::span<const int32_t> values) {
      return reinterpret_cast<const int32_t*>(put(values.data(), values.size_bytes()));
    };
    return {words(side.first), words(side.weights), side.taps};  // in this order
  }
};

}  // namespace

PictureStage::PictureStage(Device& device, int images, int side, std::byte* planes, int threads, bool decodes)
    : images_(images),
      threads_(threads),
      packed_room_(std::max(size_t{16} << 20,
                            rounded(table_bytes() + picture_bytes_limit(side) + filter_bytes_limit))),
      decoded_room_(decodes ? size_t{64} << 20 : 0),
      pinned_{allocate(device, packed_room_, Place::pinned), allocate(device, packed_room_, Place::pinned)},
      packed_(allocate(device, packed_room_, Place::device)),
      decoded_(allocate(device, decoded_room_, Place::device)),
      tensors_{Tensor{.name = "pictures", .type = Type::u8},
               Tensor{.name = "images", .n = images, .h = side, .w = side, .c = 3, .channels = 3}},
      address_{packed_.get(), planes},
      resize_(device.prepare(ResizePictures{0, 1}, Bound{tensors_, address_, nullptr}, Precision::f32, true)),
      decoder_(decodes ? device.make_decoder(threads) : nullptr),
      decoder_done_(device.make_mark()),
      offset_(static_cast<size_t>(images)),
      decoded_offset_(static_cast<size_t>(images)) {
  static_assert(decoded_bytes_limit < size_t{64} << 20);
  for (auto& mark : copied_) mark = device.make_mark();
  files_.reserve(static_cast<size_t>(images));
}

size_t PictureStage::table_bytes() const {
  return rounded(sizeof(PictureTable) + static_cast<size_t>(images_) * sizeof(PictureRecord));
}

size_t PictureStage::bytes() const { return 3 * packed_room_ + decoded_room_; }

PictureStage::Group PictureStage::group_from(size_t begin, std::span<const Picture> pictures) const {
  Group group{begin, begin, table_bytes(), 0};
  for (; group.end < pictures.size(); ++group.end) {
    const size_t packed = group.packed + packed_bytes(pictures[group.end]),
                 decoded = group.decoded + decoded_bytes(pictures[group.end]);
    if (packed > packed_room_ || decoded > decoded_room_) break;
    group.packed = packed;
    group.decoded = decoded;
  }
  require(group.end > begin, "a picture of {} x {} pixels is larger than pictures may be",
          pictures[begin].width, pictures[begin].height);
  return group;
}

void PictureStage::pack(const Group& group, const Batch& batch, std::byte* to) {
  const Shades& shades = batch.shades;
  PictureTable table{.divisor = shades.divisor, .mean = {}, .std = {}, .bgr = shades.bgr};
  std::ranges::copy(shades.mean, table.mean);
  std::ranges::copy(shades.std, table.std);
  std::memcpy(to, &table, sizeof table);
  auto* records = reinterpret_cast<PictureRecord*>(to + sizeof table);
  std::memset(records, 0, static_cast<size_t>(images_) * sizeof *records);
  size_t offset = table_bytes(), decoded = 0;
  files_.clear();
  for (size_t i = group.begin; i < group.end; ++i) {
    const Picture& picture = batch.pictures[i];
    offset_[i] = offset;
    decoded_offset_[i] = decoded;
    offset += packed_bytes(picture);
    decoded += decoded_bytes(picture);
    if (picture.file)
      files_.push_back({picture.bytes, picture.width, picture.height, decoded_.get() + decoded_offset_[i]});
  }
  ensure(offset == group.packed && decoded == group.decoded);
#pragma omp parallel for num_threads(threads_) schedule(dynamic)
  for (size_t i = group.begin; i < group.end; ++i) {
    const Picture& picture = batch.pictures[i];
    PictureRecord& record = records[i];
    record.present = 1;
    if (picture.bytes.empty()) continue;
    Packer packer{to + offset_[i], packed_.get() + offset_[i]};
    record.across = packer.put(picture.across);
    record.down = packer.put(picture.down);
    record.rgb = reinterpret_cast<const uint8_t*>(
        picture.file ? decoded_.get() + decoded_offset_[i]
                     : packer.put(picture.bytes.data(), picture.bytes.size()));
    record.width = picture.width;
    record.down_first = picture.down_first;
    record.mirror = picture.mirror;
  }
}

void PictureStage::send(const Batch& batch, Queue& queue) {
  for (size_t begin = 0; begin < batch.pictures.size();) {
    const Group group = group_from(begin, batch.pictures);
    const size_t half = turn_++ % 2;
    copied_[half]->wait();
    pack(group, batch, pinned_[half].get());
    queue.copy(packed_.get(), pinned_[half].get(), group.packed);
    queue.record(*copied_[half]);
    if (!files_.empty()) {
      ensure(decoder_ != nullptr);
      decoder_done_->wait();
      decoder_->enqueue(queue, files_);
      queue.record(*decoder_done_);
    }
    resize_->enqueue(queue, nullptr);
    begin = group.end;
  }
}

}  // namespace convoy::fused
