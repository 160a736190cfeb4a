// LD_PRELOAD this to kill a process at a chosen point of its writing: the CONVOY_KILL_AT-th call (from 1) among those below
// that concern a path containing CONVOY_KILL_PATH. It dies before the call; or, for a write with CONVOY_KILL_HALF set, when half
// of the bytes are out. CONVOY_KILL_LOG names a file that gets a line "call path" for each, and nobody dies without KILL_AT.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long count = 0;
static __thread int inside = 0;

// Whether this call is the one to die at.
static int due(const char *call, const char *path) {
  const char *part = getenv("CONVOY_KILL_PATH"), *at = getenv("CONVOY_KILL_AT"), *log = getenv("CONVOY_KILL_LOG");
  if (inside || part == NULL || path == NULL || strstr(path, part) == NULL) return 0;
  inside = 1;
  pthread_mutex_lock(&lock);
  const long number = ++count;
  if (log != NULL) {
    char line[PATH_MAX + 64];
    const int length = snprintf(line, sizeof line, "%s %s\n", call, path);
    const int descriptor = NEXT(open)(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (descriptor >= 0) {
      if (NEXT(write)(descriptor, line, (size_t)length) != length) abort();
      close(descriptor);
    }
  }
  pthread_mutex_unlock(&lock);
  inside = 0;
  return at != NULL && number == atol(at);
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static void before(const char *call, const char *path) {
  if (due(call, path)) die();
}

static const char *path_of(int descriptor, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return NULL;
  path[length] = '\0';
  return path;
}

static void before_fd(const char *call, int descriptor) {
  char path[PATH_MAX];
  before(call, path_of(descriptor, path));
}

static void before_write(const char *call, int descriptor, const void *data, size_t bytes, off_t offset) {
  char path[PATH_MAX];
  if (!due(call, path_of(descriptor, path))) return;
  if (getenv("CONVOY_KILL_HALF") != NULL) {
    const ssize_t out = offset < 0 ? NEXT(write)(descriptor, data, bytes / 2) : NEXT(pwrite)(descriptor, data, bytes / 2, offset);
    (void)out;
  }
  die();
}

ssize_t write(int descriptor, const void *data, size_t bytes) {
  if (!inside) before_write("write", descriptor, data, bytes, -1);
  return NEXT(write)(descriptor, data, bytes);
}
ssize_t pwrite(int descriptor, const void *data, size_t bytes, off_t offset) {
  before_write("pwrite", descriptor, data, bytes, offset);
  return NEXT(pwrite)(descriptor, data, bytes, offset);
}
ssize_t pwrite64(int descriptor, const void *data, size_t bytes, off64_t offset) {
  before_write("pwrite", descriptor, data, bytes, offset);
  return NEXT(pwrite64)(descriptor, data, bytes, offset);
}
int fsync(int descriptor) {
  before_fd("fsync", descriptor);
  return NEXT(fsync)(descriptor);
}
int fdatasync(int descriptor) {
  before_fd("fdatasync", descriptor);
  return NEXT(fdatasync)(descriptor);
}
int ftruncate(int descriptor, off_t length) {
  before_fd("ftruncate", descriptor);
  return NEXT(ftruncate)(descriptor, length);
}
int ftruncate64(int descriptor, off64_t length) {
  before_fd("ftruncate", descriptor);
  return NEXT(ftruncate64)(descriptor, length);
}
int fallocate(int descriptor, int mode, off_t offset, off_t length) {
  before_fd("fallocate", descriptor);
  return NEXT(fallocate)(descriptor, mode, offset, length);
}
int fallocate64(int descriptor, int mode, off64_t offset, off64_t length) {
  before_fd("fallocate", descriptor);
  return NEXT(fallocate64)(descriptor, mode, offset, length);
}
// A stream's bytes leave in fflush and fclose.
int fflush(FILE *file) {
  if (file != NULL) before_fd("fflush", fileno(file));
  return NEXT(fflush)(file);
}
int fclose(FILE *file) {
  before_fd("fclose", fileno(file));
  return NEXT(fclose)(file);
}
int rename(const char *from, const char *to) {
  before("rename", to);
  return NEXT(rename)(from, to);
}
int remove(const char *path) {
  before("remove", path);
  return NEXT(remove)(path);
}
int unlink(const char *path) {
  before("unlink", path);
  return NEXT(unlink)(path);
}
int mkdir(const char *path, mode_t mode) {
  before("mkdir", path);
  return NEXT(mkdir)(path, mode);
}
static void creating(const char *path, int flags) {
  if (flags & O_CREAT) before("open", path);
}
int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  creating(path, flags);
  return NEXT(open)(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  creating(path, flags);
  return NEXT(open64)(path, flags, mode);
}
