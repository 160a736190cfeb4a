// Inside src/comm only: MPI's return codes as Errors, and waiting for requests by polling.
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

inline void mpi_finish(MPI_Request request, const char* what) {
  int done = 0;
  for (Backoff backoff;; backoff.pause()) {
    mpi_check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), what);
    if (done) return;
  }
}

}  // namespace convoy
