/* Stands in for libnvjpeg.so: "decodes" to pixels made of a file's first byte. FAKE_NVJPEG plants troubles: "kernels" (no decoder
   in hardware), "start" (none at all), "state", "damaged". Files of another number than was prepared for are an error. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { success = 0, parameter = 2, damaged = 3, architecture = 7, internal = 8, hardware = 3, rgb = 5 };
struct image {
  unsigned char *channel[4];
  size_t pitch[4];
};
static int prepared = 0, handles = 0;

static int planted(const char *what) {
  const char *text = getenv("FAKE_NVJPEG");
  return text != NULL && strcmp(text, what) == 0;
}

int nvjpegGetProperty(int type, int *value) {
  const int version[] = {13, 0, 4};
  *value = version[type];
  return success;
}
int nvjpegCreateEx(int backend, void *device, void *pinned, unsigned flags, void **handle) {
  if (device != NULL || pinned != NULL || flags != 0) return parameter;
  if (planted("start")) return internal;
  if (planted("kernels") && backend == hardware) return architecture;
  ++handles;
  *handle = &handles;
  return success;
}
int nvjpegDestroy(void *handle) {
  if (handle != &handles) abort();
  --handles;
  return success;
}
int nvjpegJpegStateCreate(void *handle, void **state) {
  if (planted("state")) return internal;
  *state = &prepared;
  return handle == &handles ? success : parameter;
}
int nvjpegJpegStateDestroy(void *state) {
  if (state != &prepared) abort();
  return success;
}
int nvjpegDecodeBatchedInitialize(void *handle, void *state, int images, int threads, int format) {
  if (handle != &handles || state != &prepared || threads < 1 || format != rgb) return parameter;
  prepared = images;
  return success;
}
int nvjpegDecodeBatched(void *handle, void *state, const unsigned char *const *files, const size_t *sizes, struct image *to,
                        void *stream) {
  if (handle != &handles || state != &prepared || stream == NULL) return parameter;
  if (planted("damaged")) return damaged;
  for (int i = 0; i < prepared; ++i) {
    if (sizes[i] == 0 || to[i].pitch[0] == 0 || to[i].pitch[1] != 0 || to[i].channel[1] != NULL) return parameter;
    for (size_t b = 0; b < to[i].pitch[0]; ++b) to[i].channel[0][b] = (unsigned char)(files[i][0] + b);
  }
  return success;
}
int fake_nvjpeg_handles(void) { return handles; }
