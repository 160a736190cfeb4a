# A site's installation: cmake -G Ninja -B build -C jobs/launch/packaging/presets/site.cmake -DCMAKE_INSTALL_PREFIX=/apps/convoy/0.1.0
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(CONVOY_TESTS OFF CACHE BOOL "")
