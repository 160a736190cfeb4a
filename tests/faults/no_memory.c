// LD_PRELOAD this for a machine that has no large piece of memory left: malloc of CONVOY_MEMORY_BYTES or more fails.
#include <errno.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t);  // glibc's own, under the name that it keeps for this

void *malloc(size_t bytes) {
  const char *limit = getenv("CONVOY_MEMORY_BYTES");
  if (limit == NULL || bytes < (size_t)atoll(limit)) return __libc_malloc(bytes);
  errno = ENOMEM;
  return NULL;
}
