# Cross-compiles for AArch64 Linux with the GNU cross compiler (Debian: g++-aarch64-linux-gnu):
# `make wheel-aarch64`, `make test-aarch64`. Why this compiler: docs/decisions/0003-aarch64.md.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# Programs (Python, ninja) and Python's headers are this machine's: the stable ABI is one for all
# 64-bit Linux. Libraries are the target's.
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
