#include "port/batch.h"

namespace convoy {

Totals& Totals::operator+=(const Totals& other) {
  images += other.images;
  correct1 += other.correct1;
  correct5 += other.correct5;
  loss += other.loss;
  nonfinite += other.nonfinite;
  return *this;
}

}  // namespace convoy
