// The prepare kernels once more without any processor's own instructions: the twin that
// test_prepare.cpp holds every ISA level against.
#define NSSBG_LEVEL level_plain
#define NSSBG_PLAIN_LANES 1
#include "prepare/kernels.cpp"  // NOLINT(bugprone-suspicious-include)
