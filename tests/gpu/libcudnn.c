// Stands in for libcudnn.so.N as far as its version: FAKE_CUDNN, as cudnnGetVersion answers.
#include <stddef.h>
#include <stdlib.h>

size_t cudnnGetVersion(void) { return (size_t)atoll(getenv("FAKE_CUDNN")); }
