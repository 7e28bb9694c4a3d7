# 64-bit x86 under Linux from any machine; the C compiler may be clang with a sysroot, or a compiler for musl.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-linux-gnu-gcc)

find_program(RESNETCC_EXECUTABLE resnetcc NO_CMAKE_FIND_ROOT_PATH) # runs here
set(RESNETCC_TARGET x86_64-linux-gnu) # the program's
set(RESNETCC_CPU x86-64-v3)           # the oldest that it is to run on
