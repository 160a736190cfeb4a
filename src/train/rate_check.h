// Catches a rate that is scaled twice: already meant for the global minibatch B, and multiplied by B/per_images again.
// Only where per_images is set, for a rate without it is taken as it stands, and only where B > per_images. Refused is
//   SGD, RMSprop warm-up and LARS variants that clip:  rate x 256/per_images x 0.1/(1-momentum)  above 0.4, twice the
//                           largest rate for 256 images of Goyal et al., table 2a (0.2, with momentum 0.9)
//   other LARS variants:    rate x B/per_images x trust  above 0.1, two and a half times the largest published (40 x
//                           0.001 for ResNet-50 at 32,768, You et al. 2017); LARS papers give rates for B, unscaled
// schedule.allow_large_rate = true silences it. A rate that is scaled twice and still within these is not noticed: at
// B = 1,024 a rate of 0.4 for 256 images is plausible either way.
#pragma once

#include <string>

#include "train/experiment.h"

namespace convoy {

std::string rate_doubt(const Experiment& experiment);  // "" or a sentence

}  // namespace convoy
