#include "train/loss_scale.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "train/trainer.h"

namespace convoy {

TEST_CASE(
    "a dynamic loss scale halves at an overflow, doubles after enough steps, and keeps within its bounds") {
  LossScale scale({.activations = "fp16", .loss_scale = 0, .growth_steps = 3});
  CHECK(scale.matters());
  CHECK(scale.value() == 65536.0f);
  for (int step = 0; step < 2; ++step) scale.fits();
  CHECK(scale.overflow());
  CHECK(scale.value() == 32768.0f);
  for (int step = 0; step < 2; ++step) scale.fits();
  CHECK(scale.value() == 32768.0f);  // the count began anew at the overflow
  scale.fits();
  CHECK(scale.value() == 65536.0f);
  for (int step = 0; step < 300; ++step) scale.fits();
  CHECK(scale.value() == LossScale::most);
  for (int halvings = 0; halvings < 24; ++halvings) CHECK(scale.overflow());
  CHECK(scale.value() == 1.0f);
  CHECK_FALSE(scale.overflow());
}

TEST_CASE("a loss scale goes on where it was saved; a fixed one, and other precisions, know no other") {
  LossScale dynamic({.activations = "fp16"});
  dynamic.take_up({1024.0f, 1999});
  dynamic.fits();
  CHECK(dynamic.value() == 2048.0f);
  dynamic.take_up({});  // of a checkpoint that knows none
  CHECK(dynamic.value() == 2048.0f);
  LossScale fixed({.activations = "fp16", .loss_scale = 128});
  fixed.take_up({1024.0f, 5});
  CHECK(fixed.value() == 128.0f);
  CHECK_FALSE(fixed.overflow());
  for (const char* activations : {"f32", "tf32", "bf16"}) {
    LossScale none({.activations = activations});
    CHECK_FALSE(none.matters());
    CHECK(none.value() == 1.0f);
    CHECK_FALSE(none.overflow());
  }
}

}  // namespace convoy
