// Stands in for libnvidia-ml.so.1: two GPUs whose counters grow by 1500 mJ and 500 mJ from one reading to the next.
static unsigned long long read_so_far[2];

int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { return *count = 2, 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { return *device = &read_so_far[index], 0; }
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *energy) {
  unsigned long long *mine = device;
  *energy = 7000000 + ++*mine * (mine == read_so_far ? 1500 : 500);
  return 0;
}
