// LD_PRELOAD this to give MPI rank 1 a slow disk: every read of more than 100 bytes from a file whose path contains
// CONVOY_SLOW_PATH takes CONVOY_SLOW_US microseconds.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static void wait_for(int descriptor, size_t bytes) {
  const char *part = getenv("CONVOY_SLOW_PATH"), *time = getenv("CONVOY_SLOW_US");
  const char *rank = getenv("OMPI_COMM_WORLD_RANK");
  if (rank == NULL) rank = getenv("PMI_RANK");
  if (rank == NULL) rank = getenv("SLURM_PROCID");
  if (part == NULL || time == NULL || rank == NULL || strcmp(rank, "1") != 0 || bytes <= 100) return;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return;
  path[length] = '\0';
  if (strstr(path, part) != NULL) usleep((useconds_t)atoi(time));
}

static ssize_t positioned(const char *name, int descriptor, void *data, size_t bytes, off_t offset) {
  ssize_t (*next)(int, void *, size_t, off_t) = (ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, name);
  wait_for(descriptor, bytes);
  return next(descriptor, data, bytes, offset);
}

ssize_t pread(int descriptor, void *data, size_t bytes, off_t offset) {
  return positioned("pread", descriptor, data, bytes, offset);
}

ssize_t pread64(int descriptor, void *data, size_t bytes, off_t offset) {
  return positioned("pread64", descriptor, data, bytes, offset);
}
