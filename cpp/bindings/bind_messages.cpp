// Keeps what libtiff prints about a damaged file off stderr, on the thread that reads it only.
//
// libtiff has one error handler a process, which prints. This one stands in front of whichever is
// there: it drops what comes from a thread that asked for silence, and passes on everything else,
// so that a host program's own use of libtiff stays as it was.
#include <atomic>
#include <cstdarg>

#include "arrays.hpp"

namespace nssbg::bindings {
namespace {

using Handler = void (*)(const char* module, const char* format, std::va_list arguments);
using Setter = Handler (*)(Handler);

thread_local int silenced = 0;
std::atomic<Handler> behind{nullptr};

void handle(const char* module, const char* format, std::va_list arguments) {
    if (silenced > 0) return;
    if (const Handler handler = behind.load()) handler(module, format, arguments);
}

}  // namespace

void bind_messages(nb::module_& module) {
    module.def(
        "stand_before_error_handler",
        [](std::uintptr_t setter) {
            const Handler before = reinterpret_cast<Setter>(setter)(&handle);
            if (before != &handle) behind.store(before);
        },
        nb::arg("setter"),
        "Put a handler that can be silenced before libtiff's; takes TIFFSetErrorHandler's "
        "address.");
    module.def(
        "silence_thread", [](bool silent) { silenced += silent ? 1 : -1; }, nb::arg("silent"),
        "Drop libtiff's messages on this thread; calls with True and False come in pairs.");
}

}  // namespace nssbg::bindings
