// LD_PRELOAD this for arithmetic that goes wrong once: from the CONVOY_EXP_FROM-th call of exp() on (from 1), CONVOY_EXP_CALLS
// calls return CONVOY_EXP_VALUE. The loss and its gradient call it, so that a step's numbers, and no later one's, are spoilt.
// Only the training's own thread counts: the loader's draw their crops with exp() whenever they come to it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

double exp(double x) {
  static atomic_long calls = 0;
  static double (*_Atomic next)(double) = NULL;
  if (next == NULL) next = (double (*)(double))dlsym(RTLD_NEXT, "exp");
  if (gettid() != getpid()) return next(x);
  const char *from = getenv("CONVOY_EXP_FROM"), *count = getenv("CONVOY_EXP_CALLS"), *value = getenv("CONVOY_EXP_VALUE");
  const long call = atomic_fetch_add(&calls, 1) + 1;
  if (from == NULL || count == NULL || value == NULL || call < atol(from) || call >= atol(from) + atol(count)) return next(x);
  return strtod(value, NULL);
}
