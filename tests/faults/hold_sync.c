// LD_PRELOAD this for a disk that takes its time: fsync of a file whose path contains CONVOY_HOLD_PATH waits until there is a
// file CONVOY_HOLD_UNTIL.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

int fsync(int descriptor) {
  int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  const char *part = getenv("CONVOY_HOLD_PATH"), *until = getenv("CONVOY_HOLD_UNTIL");
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (part == NULL || until == NULL || length < 0) return next(descriptor);
  path[length] = '\0';
  if (strstr(path, part) != NULL)
    while (access(until, F_OK) != 0) usleep(1000);
  return next(descriptor);
}
