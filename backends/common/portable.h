// Marks a function that is compiled for the host and, by nvcc, for the device as well.
#pragma once

#if defined(__CUDACC__)
#define CONVOY_PORTABLE __host__ __device__
#else
#define CONVOY_PORTABLE
#endif
