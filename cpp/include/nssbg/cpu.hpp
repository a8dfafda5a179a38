// Which instruction-set level the kernels run at: detected once, forced by the
// environment variable NSSBG_ISA or by set_isa (tests run every level).
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace nssbg {

// The x86-64 psABI levels. On other processors v1 is the only one and means the
// platform's baseline (AArch64: NEON).
enum class Isa : int { v1 = 1, v2 = 2, v3 = 3, v4 = 4 };

// A level that is unknown or that this processor cannot run.
class IsaError : public std::invalid_argument {
public:
    using std::invalid_argument::invalid_argument;
};

// Levels that are compiled in and that this processor can run, lowest first.
std::vector<Isa> available_isa_levels();

// The level in use: NSSBG_ISA where set, otherwise the highest available.
// Throws IsaError if NSSBG_ISA names no available level.
Isa active_isa();

// Forces a level by name ("v1".."v4", or "auto" for the default choice).
// Throws IsaError for a name that is unknown or cannot run here.
// Not to be called while kernels run in other threads.
void set_isa(const std::string& name);

std::string isa_name(Isa level);

}  // namespace nssbg
