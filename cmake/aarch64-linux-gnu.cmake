# Cross build for 64-bit ARM with Debian's g++-aarch64-linux-gnu; tests run under qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# Static: the emulator then needs no library of the target's, and no sysroot.
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
find_program(LINNET_QEMU NAMES qemu-aarch64-static qemu-aarch64)
if(LINNET_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR "${LINNET_QEMU}")
endif()
