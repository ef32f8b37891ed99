# Toolchain for 64-bit ARM with Debian's gcc-aarch64-linux-gnu; what is built runs under qemu-user:
#   cmake -B build-aarch64 -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake
# The libraries are those of the system's arm64 packages, or of a folder that such packages were
# unpacked into (dpkg -x): -DTOKENMARK_AARCH64_ROOT=FOLDER.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(TOKENMARK_AARCH64_ROOT "" CACHE PATH "Folder that arm64 packages were unpacked into")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TOKENMARK_AARCH64_ROOT)
set(TOKENMARK_CUDA OFF CACHE STRING "Build the CUDA engine: AUTO, ON or OFF")

set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu ${TOKENMARK_AARCH64_ROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${TOKENMARK_AARCH64_ROOT}/usr/lib/aarch64-linux-gnu/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${TOKENMARK_AARCH64_ROOT})

# Steps of the build that run the program (shell completion) go through it.
find_program(TOKENMARK_QEMU NAMES qemu-aarch64 qemu-aarch64-static)
if(TOKENMARK_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${TOKENMARK_QEMU} -L /usr/aarch64-linux-gnu)
endif()
