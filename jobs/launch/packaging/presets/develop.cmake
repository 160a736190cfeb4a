# For work on the program: warnings are errors, tests are built.
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(CONVOY_WERROR ON CACHE BOOL "")
set(CONVOY_TESTS ON CACHE BOOL "")
