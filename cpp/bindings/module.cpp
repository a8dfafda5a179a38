// The extension module nssbg._core: every stage registers itself here.
#include "arrays.hpp"

NB_MODULE(_core, module) {
    // A forked child, or an interpreter that ends while another thread is in a call, leaves objects
    // alive that nobody can free: that is no fault to warn of on the user's terminal.
    nanobind::set_leak_warnings(false);
    module.doc() = "C++ core of nssbg: kernels and what they run on.";
    nssbg::bindings::bind_calls(module);
    nssbg::bindings::bind_messages(module);
    nssbg::bindings::bind_compose(module);
    nssbg::bindings::bind_corrections(module);
    nssbg::bindings::bind_decontaminate(module);
    nssbg::bindings::bind_defocus(module);
    nssbg::bindings::bind_framing(module);
    nssbg::bindings::bind_png(module);
    nssbg::bindings::bind_prepare(module);
    nssbg::bindings::bind_refine(module);
    nssbg::bindings::bind_runtime(module);
    nssbg::bindings::bind_segment(module);
    nssbg::bindings::bind_shadow(module);
    nssbg::bindings::bind_studio(module);
    nssbg::bindings::bind_tiles(module);
}
