// LD_PRELOAD this to give a process a full disk: once CONVOY_DISK_BYTES have been written to files whose path contains
// CONVOY_DISK_PATH, further writes there fail with ENOSPC.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long long written = 0;

static int full(int descriptor, size_t bytes) {
  const char *part = getenv("CONVOY_DISK_PATH"), *limit = getenv("CONVOY_DISK_BYTES");
  char link[64], path[4096];
  if (part == NULL || limit == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = '\0';
  if (strstr(path, part) == NULL) return 0;
  written += (long long)bytes;
  return written > atoll(limit);
}

ssize_t write(int descriptor, const void *data, size_t bytes) {
  static ssize_t (*next)(int, const void *, size_t);
  if (next == NULL) next = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  if (!full(descriptor, bytes)) return next(descriptor, data, bytes);
  errno = ENOSPC;
  return -1;
}

static ssize_t positioned(const char *name, int descriptor, const void *data, size_t bytes, off_t offset) {
  ssize_t (*next)(int, const void *, size_t, off_t) =
      (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, name);
  if (!full(descriptor, bytes)) return next(descriptor, data, bytes, offset);
  errno = ENOSPC;
  return -1;
}

ssize_t pwrite(int descriptor, const void *data, size_t bytes, off_t offset) {
  return positioned("pwrite", descriptor, data, bytes, offset);
}

ssize_t pwrite64(int descriptor, const void *data, size_t bytes, off_t offset) {
  return positioned("pwrite64", descriptor, data, bytes, offset);
}
