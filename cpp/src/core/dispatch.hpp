// Picks a stage's table of kernels for the ISA level in use. A stage declares a
// struct of function pointers, defines one constant of it per level in a kernel
// source (namespace nssbg::NSSBG_LEVEL), and names both in NSSBG_DISPATCH.
#pragma once

#include "nssbg/cpu.hpp"

#ifdef NSSBG_HAVE_LEVEL_V4
#define NSSBG_DISPATCH(Table, name)              \
    namespace level_v1 {                         \
    extern const Table name;                     \
    }                                            \
    namespace level_v2 {                         \
    extern const Table name;                     \
    }                                            \
    namespace level_v3 {                         \
    extern const Table name;                     \
    }                                            \
    namespace level_v4 {                         \
    extern const Table name;                     \
    }                                            \
    inline const Table& active_##name() {        \
        switch (active_isa()) {                  \
            case Isa::v4: return level_v4::name; \
            case Isa::v3: return level_v3::name; \
            case Isa::v2: return level_v2::name; \
            default: return level_v1::name;      \
        }                                        \
    }
#else
#define NSSBG_DISPATCH(Table, name) \
    namespace level_v1 {            \
    extern const Table name;        \
    }                               \
    inline const Table& active_##name() { return level_v1::name; }
#endif
