// Detects the processor's level and holds the one in use.
#include "nssbg/cpu.hpp"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "core/probe_kernels.hpp"

namespace nssbg {
namespace {

std::atomic<int> active_level{0};  // 0: not chosen yet

bool cpu_runs(Isa level) {
#if defined(NSSBG_HAVE_LEVEL_V4) && (defined(__GNUC__) || defined(__clang__))
    // Feature names rather than "x86-64-v3" as an argument: clang before 17 and
    // GCC before 11 know only these.
    __builtin_cpu_init();
    const bool v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt") &&
                    __builtin_cpu_supports("ssse3");
    const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
    switch (level) {
        case Isa::v1: return true;
        case Isa::v2: return v2;
        case Isa::v3: return v3;
        case Isa::v4: return v4;
    }
    return false;
#else
    return level == Isa::v1;
#endif
}

Isa default_level() {
    const auto levels = available_isa_levels();
    return levels.back();
}

Isa parse_level(const std::string& name) {
    if (name.empty() || name == "auto") return default_level();
    std::string known;
    for (const Isa level : available_isa_levels()) {
        if (name == isa_name(level)) return level;
        known += (known.empty() ? "" : ", ") + isa_name(level);
    }
    throw IsaError("ISA level '" + name + "' is not available on this machine; it has " + known +
                   " (or 'auto'). NSSBG_ISA may be set to one of these.");
}

}  // namespace

std::string isa_name(Isa level) { return "v" + std::to_string(static_cast<int>(level)); }

std::vector<Isa> available_isa_levels() {
    std::vector<Isa> levels;
#ifdef NSSBG_HAVE_LEVEL_V4
    for (const Isa level : {Isa::v1, Isa::v2, Isa::v3, Isa::v4})
        if (cpu_runs(level)) levels.push_back(level);
#else
    if (cpu_runs(Isa::v1)) levels.push_back(Isa::v1);
#endif
    return levels;
}

Isa active_isa() {
    int level = active_level.load(std::memory_order_acquire);
    if (level == 0) {
        const char* forced = std::getenv("NSSBG_ISA");
        level = static_cast<int>(parse_level(forced == nullptr ? "" : forced));
        active_level.store(level, std::memory_order_release);
    }
    return static_cast<Isa>(level);
}

void set_isa(const std::string& name) {
    active_level.store(static_cast<int>(parse_level(name)), std::memory_order_release);
}

}  // namespace nssbg
