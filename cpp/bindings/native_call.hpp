// Runs native code without the interpreter's lock, counted by the call gate: every binding that
// gives the lock up does it with this, not with nanobind's own guard.
#pragma once

#include <nanobind/nanobind.h>

#include "nssbg/call_gate.hpp"

namespace nssbg::bindings {

namespace nb = nanobind;

// Enters the gate, waiting out a fork; needs the interpreter's lock. Once the interpreter ends it
// raises SystemExit, which ends a thread in silence: daemon threads are worth no more than that.
inline void enter_gate() {
    for (;;) {
        switch (gate_enter()) {
            case Entry::inside: return;
            case Entry::closed:
                PyErr_SetString(PyExc_SystemExit, "the interpreter is ending");
                throw nb::python_error();
            case Entry::must_wait: break;
        }
        const nb::gil_scoped_release release;  // safe: the gate's closing waits for those who wait
        gate_wait();
    }
}

class NativeCall {
public:
    NativeCall() {
        enter_gate();
        state_ = PyEval_SaveThread();
    }
    ~NativeCall() {
        // Left only with the lock held again: until then the interpreter must not end.
        PyEval_RestoreThread(state_);
        gate_leave();
    }
    NativeCall(const NativeCall&) = delete;
    NativeCall& operator=(const NativeCall&) = delete;

private:
    PyThreadState* state_ = nullptr;
};

}  // namespace nssbg::bindings
