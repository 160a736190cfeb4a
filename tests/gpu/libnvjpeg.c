/* Stands in for libnvjpeg.so: "decodes" to pixels made of a file's first byte, by the decoder in hardware 1 more than by kernels. It
   takes files whose first byte is below 100 into hardware. FAKE_NVJPEG plants troubles: "kernels" (no decoder in hardware), "start"
   (none at all), "state", "damaged" (a file that begins with 80), "together" (more than one file at a time). A minibatch of another
   number than was prepared for cannot be told from one of that number, but pictures are missing then, or memory is. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { success = 0, parameter = 2, damaged = 3, architecture = 7, internal = 8, default_backend = 0, hardware = 3, rgb = 5 };
struct image {
  unsigned char *channel[4];
  size_t pitch[4];
};
struct handle {
  int backend, prepared;
};
static int alive = 0;
static unsigned char first_of_header = 0;

static int planted(const char *what) {
  const char *text = getenv("FAKE_NVJPEG");
  return text != NULL && strstr(text, what) != NULL;
}

int nvjpegGetProperty(int type, int *value) {
  const int version[] = {13, 0, 4};
  *value = version[type];
  return success;
}
int nvjpegCreateEx(int backend, void *device, void *pinned, unsigned flags, void **handle) {
  if (device != NULL || pinned != NULL || flags != 1u << 5) return parameter;
  if (planted("start")) return internal;
  if (planted("kernels") && backend == hardware) return architecture;
  struct handle *made = calloc(1, sizeof *made);
  made->backend = backend;
  ++alive;
  *handle = made;
  return success;
}
int nvjpegDestroy(void *handle) {
  free(handle);
  --alive;
  return success;
}
int nvjpegJpegStateCreate(void *handle, void **state) {
  if (planted("state")) return internal;
  ++alive;
  *state = handle;
  return success;
}
int nvjpegJpegStateDestroy(void *state) { return state == NULL ? parameter : (--alive, success); }
int nvjpegJpegStreamCreate(void *handle, void **file) {
  (void)handle;
  ++alive;
  *file = &first_of_header;
  return success;
}
int nvjpegJpegStreamDestroy(void *file) { return file == &first_of_header ? (--alive, success) : parameter; }
int nvjpegJpegStreamParseHeader(void *handle, const unsigned char *data, size_t size, void *file) {
  if (handle == NULL || size == 0 || file != &first_of_header) return parameter;
  first_of_header = data[0];
  return success;
}
int nvjpegDecodeBatchedSupported(void *handle, void *file, int *no) {
  if (((struct handle *)handle)->backend != hardware || file != &first_of_header) return parameter;
  *no = first_of_header >= 100;
  return success;
}
int nvjpegDecodeBatchedInitialize(void *handle, void *state, int images, int threads, int format) {
  if (handle != state || threads != 5 || format != rgb || images < 1) return parameter;
  ((struct handle *)handle)->prepared = images;
  return success;
}
int nvjpegDecodeBatched(void *handle, void *state, const unsigned char *const *files, const size_t *sizes, struct image *to,
                        void *stream) {
  const struct handle *h = handle;
  if (handle != state || stream == NULL || h->prepared == 0) return parameter;
  if (planted("together") && h->prepared > 1) return internal;
  for (int i = 0; i < h->prepared; ++i) {
    if (sizes[i] == 0 || to[i].pitch[0] == 0 || to[i].pitch[1] != 0 || to[i].channel[1] != NULL) return parameter;
    if (planted("damaged") && files[i][0] == 80) return damaged;
    const int in_hardware = h->backend == hardware;
    if (in_hardware && files[i][0] >= 100) return parameter;
    for (size_t b = 0; b < to[i].pitch[0]; ++b) to[i].channel[0][b] = (unsigned char)(files[i][0] + b + (size_t)in_hardware);
  }
  return success;
}
int fake_nvjpeg_alive(void) { return alive; }
