// Stands in for libcuda.so.1. FAKE_CUDA: "VERSION INIT_CODE [CAPABILITY:MODE:TAKEN ...]", a GPU a word:
// "13000 0 90:0:0 61:3:1" is a driver of CUDA 13.0 with an idle GPU of capability 9.0 and, in exclusive mode, a taken one
// of 6.1. Numbers are those of cuda.h.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { invalid = 1, no_device = 100, unavailable = 46 };
static int version, init_code, count, started;
static int gpus[8][3];

static void read_facts(void) {
  const char *text = getenv("FAKE_CUDA");
  int used = 0;
  count = 0;
  if (text == NULL || sscanf(text, "%d %d%n", &version, &init_code, &used) != 2) abort();
  for (text += used; count < 8; text += used, ++count)
    if (sscanf(text, " %d:%d:%d%n", &gpus[count][0], &gpus[count][1], &gpus[count][2], &used) != 3) break;
}

int cuDriverGetVersion(int *to) { return read_facts(), *to = version, 0; }
int cuInit(unsigned flags) { return read_facts(), started = 1, flags == 0 ? init_code : invalid; }
int cuDeviceGetCount(int *to) { return started ? (*to = count, 0) : 3; }
int cuDeviceGet(int *device, int index) { return *device = index, index < count ? 0 : 101; }
int cuDeviceGetName(char *to, int size, int device) {
  return snprintf(to, (size_t)size, "Fake GPU of capability %d", gpus[device][0]), 0;
}
int cuDeviceGetPCIBusId(char *to, int size, int device) {
  return snprintf(to, (size_t)size, "0000:%02X:00.0", 0x1B + device), 0;
}
int cuDeviceTotalMem_v2(size_t *to, int device) { return *to = ((size_t)device + 80) << 30, 0; }
int cuDeviceGetAttribute(int *to, int what, int device) {
  switch (what) {
    case 75: return *to = gpus[device][0] / 10, 0;
    case 76: return *to = gpus[device][0] % 10, 0;
    case 20: return *to = gpus[device][1], 0;
    default: return invalid;
  }
}
int cuDevicePrimaryCtxRetain(void **context, int device) {
  *context = gpus;
  return gpus[device][2] ? unavailable : 0;
}
int cuDevicePrimaryCtxRelease_v2(int device) { return gpus[device][2] ? invalid : 0; }
int cuGetErrorName(int code, const char **name) {
  return *name = code == 999 ? "CUDA_ERROR_UNKNOWN" : "CUDA_ERROR_OF_THE_FAKE", 0;
}
