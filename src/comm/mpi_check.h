// Inside src/comm only: MPI's return codes as Errors.
#pragma once

#include <mpi.h>

#include <string>

#include "base/error.h"
#include "comm/backoff.h"

namespace convoy {

inline void mpi_check(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0;
  MPI_Error_string(code, text, &length);
  fail("MPI cannot {}: {}", what, text);
}

}  // namespace convoy
