// Binds the call gate, and ties it to the interpreter's fork and end.
#include "arrays.hpp"
#include "native_call.hpp"

namespace nssbg::bindings {
namespace {

// Longest wait of a fork for calls that run: a large network's picture.
constexpr int longest_hold = 60000;
// Longest wait of the interpreter's end, in slices between which Ctrl-C is looked for.
constexpr int slice = 50;
constexpr int slices = 10 * 60 * 1000 / slice;

void hold_for_fork() {
    const nb::gil_scoped_release release;
    gate_hold(longest_hold);
}

void close_at_exit() {
    for (int i = 0; i < slices; ++i) {
        bool empty = false;
        {
            const nb::gil_scoped_release release;
            empty = gate_close(slice);
        }
        if (empty) return;
        if (PyErr_CheckSignals() != 0) throw nb::python_error();
    }
}

}  // namespace

void bind_calls(nb::module_& module) {
    module.def("enter_call", &enter_gate,
               "Count a call into another library's native code; end it with leave_call. Waits "
               "while the process forks; SystemExit once the interpreter ends.");
    module.def("leave_call", &gate_leave, "End what enter_call began, in the same thread.");
    module.def(
        "keep_for_ever", [](nb::handle object) { object.inc_ref(); }, nb::arg("object"),
        "Never destroy this object, not even when the interpreter ends.");
    const nb::object at_exit = nb::module_::import_("atexit").attr("register");
    at_exit(nb::cpp_function(&close_at_exit));
    const nb::module_ os = nb::module_::import_("os");
    if (nb::hasattr(os, "register_at_fork"))
        os.attr("register_at_fork")(nb::arg("before") = nb::cpp_function(&hold_for_fork),
                                    nb::arg("after_in_parent") = nb::cpp_function(&gate_release));
}

}  // namespace nssbg::bindings
