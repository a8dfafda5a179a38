// Counts the calls that run in native code for Python, so that two moments can wait for them: a
// fork, whose child would inherit locks and thread pools amid their use, and the interpreter's end,
// which takes threads down by unwinding them, and C++ frames do not survive that.
//
// The gate knows nothing of Python. Who enters holds the interpreter's lock and gives it up only
// inside, so a gate that was found empty with that lock held stays empty until it is given up.
#pragma once

namespace nssbg {

enum class Entry {
    inside,     // counted; leave with gate_leave
    must_wait,  // a fork is under way: call gate_wait without the interpreter's lock, then again
    closed,     // the interpreter ends: nothing may begin
};

// Never blocks. Calls may be nested; inner ones always get in.
Entry gate_enter();

// After Entry::must_wait: waits until no fork is under way, or the gate is closed.
void gate_wait();

// Ends what gate_enter began; with the interpreter's lock held.
void gate_leave() noexcept;

// Lets nobody in until gate_release, and waits for those inside, the caller's own call left out.
// False where some were still inside after that time; the gate is held all the same. Holds add up.
bool gate_hold(int milliseconds);
void gate_release() noexcept;

// Closes the gate for all threads but this one, for good, and waits for those inside or waiting.
// False where some still were after that time; may be called again.
bool gate_close(int milliseconds);

}  // namespace nssbg
