# Spack recipe. Copy it to packages/convoy/package.py of a repository of yours (`spack repo create`), then
#   spack dev-build --source-path <this checkout> convoy@main
from spack.package import *


class Convoy(CMakePackage):
    """Large-minibatch training of ResNets and AlexNets on HPC machines: oneDNN, MPI, LARS, HDF5 shards, and the same bits
    on any power of two of ranks."""

    license("Apache-2.0")
    version("main")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.20:", type="build")
    depends_on("ninja", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi")
    depends_on("hdf5@1.10.7:1.14")
    depends_on("onednn@2.6:3")
    depends_on("hwloc@2:")
    depends_on("libjpeg-turbo")
    depends_on("libpng")
    depends_on("matio")
    depends_on("xxhash")
    depends_on("fmt@9:")
    depends_on("spdlog")
    depends_on("tomlplusplus")
    depends_on("nlohmann-json")
    depends_on("cli11@2:")
    depends_on("catch2@2", type="test")

    generator("ninja")
    conflicts("%gcc@:11", msg="convoy is C++20 and tested with GCC 12 and Clang 14")

    def cmake_args(self):
        return [
            self.define("CONVOY_ONEDNN_ROOT", self.spec["onednn"].prefix),
            self.define("MPI_CXX_COMPILER", self.spec["mpi"].mpicxx),
            self.define("CONVOY_TESTS", self.run_tests),
        ]

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def check_install(self):
        Executable(self.prefix.bin.convoy)("info")
