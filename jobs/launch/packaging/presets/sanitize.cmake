# Unit and data tests under the address and undefined-behaviour sanitizers (LSAN_OPTIONS=suppressions=tests/support/lsan.txt).
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS "-O1" CACHE STRING "")
set(CONVOY_SANITIZE "address,undefined" CACHE STRING "")
set(CONVOY_PCH ON CACHE BOOL "")
