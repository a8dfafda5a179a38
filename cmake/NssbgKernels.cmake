# Compiles every kernel source once per ISA level. Each level is its own object
# library with its own namespace (NSSBG_LEVEL) and its own -march; contraction is
# off everywhere, which makes the levels bit-identical (docs/architecture.md).

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND NOT MSVC)
  set(NSSBG_LEVELS v1 v2 v3 v4)
  set(NSSBG_LEVEL_FLAGS_v1 -march=x86-64)
  set(NSSBG_LEVEL_FLAGS_v2 -march=x86-64-v2)
  set(NSSBG_LEVEL_FLAGS_v3 -march=x86-64-v3)
  # GCC and clang prefer 256-bit vectors at this level unless told otherwise.
  set(NSSBG_LEVEL_FLAGS_v4 -march=x86-64-v4 -mprefer-vector-width=512)
else()
  # One level where the baseline already has what the kernels use (AArch64: NEON).
  set(NSSBG_LEVELS v1)
  set(NSSBG_LEVEL_FLAGS_v1 "")
endif()

# Floating point is exact and the same everywhere: no contraction into FMA, no
# reassociation, no errno from math calls, no traps to preserve.
if(NOT MSVC)
  set(NSSBG_MATH_FLAGS -ffp-contract=off -fno-math-errno -fno-trapping-math)
  set(NSSBG_WARNING_FLAGS -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # clang-cl: its /fp:precise would contract where the processor has FMA (Windows on Arm).
  set(NSSBG_MATH_FLAGS /fp:precise /clang:-ffp-contract=off /clang:-fno-math-errno)
  set(NSSBG_WARNING_FLAGS /W3)
  add_compile_definitions(_CRT_SECURE_NO_WARNINGS NOMINMAX)
else()
  message(FATAL_ERROR "The kernels use the vectors and builtins of GCC and clang, which "
                      "${CMAKE_CXX_COMPILER_ID} lacks. Build with clang-cl: cmake -T ClangCL, or "
                      "pip install . -C cmake.args=\"-T ClangCL\"")
endif()

# nssbg_add_kernels(TARGET SOURCE...): adds the sources to TARGET, once per level.
function(nssbg_add_kernels target)
  foreach(level IN LISTS NSSBG_LEVELS)
    set(objects ${target}_kernels_${level})
    add_library(${objects} OBJECT ${ARGN})
    target_include_directories(${objects} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/include
                                                  ${CMAKE_CURRENT_SOURCE_DIR}/src)
    target_compile_definitions(${objects} PRIVATE NSSBG_LEVEL=level_${level})
    target_compile_options(
      ${objects} PRIVATE ${NSSBG_LEVEL_FLAGS_${level}} ${NSSBG_MATH_FLAGS} ${NSSBG_WARNING_FLAGS}
                         $<$<CONFIG:Release>:-O3>)
    if(NSSBG_SANITIZE)
      target_compile_options(${objects} PRIVATE -fsanitize=${NSSBG_SANITIZE}
                                                -fno-omit-frame-pointer)
    endif()
    if(NSSBG_BUILD_FUZZERS)
      target_compile_options(${objects} PRIVATE -fsanitize=fuzzer-no-link)
    endif()
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
    string(TOUPPER ${level} upper)
    target_compile_definitions(${target} PUBLIC NSSBG_HAVE_LEVEL_${upper}=1)
  endforeach()
endfunction()
