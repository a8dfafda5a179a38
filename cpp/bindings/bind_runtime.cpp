// Binds what all stages share: ISA level, core count, the memory pool.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.hpp"
#include "core/probe_kernels.hpp"
#include "nssbg/cpu.hpp"
#include "nssbg/parallel.hpp"

namespace nssbg::bindings {

void bind_runtime(nb::module_& module) {
    // The package's own error, so that the command tells it from a fault of its own. It is looked
    // up only then: the core loads without the package's other modules.
    nb::register_exception_translator([](const std::exception_ptr& raised, void*) {
        try {
            std::rethrow_exception(raised);
        } catch (const IsaError& error) {
            const nb::object type = nb::module_::import_("nssbg._errors").attr("OptionError");
            PyErr_SetString(type.ptr(), error.what());
        }
    });
    module.def(
        "isa_levels",
        [] {
            std::vector<std::string> names;
            for (const Isa level : available_isa_levels()) names.push_back(isa_name(level));
            return names;
        },
        "ISA levels compiled in that this processor can run, lowest first.");
    module.def(
        "isa", [] { return isa_name(active_isa()); },
        "The ISA level in use: NSSBG_ISA where set, else the highest available.");
    module.def("set_isa", &set_isa, nb::arg("name"),
               "Force an ISA level ('v1'..'v4' or 'auto'); ValueError if it cannot run here.");
    module.def(
        "compiled_isa", [] { return active_probe_kernels().compiled_level(); },
        "The level that the active kernels were compiled for, by the compiler's word.");
    module.def("usable_cores", &usable_cores,
               "Cores this process may use: affinity mask and cgroup quota.");
    module.def(
        "pool_statistics",
        [] {
            const PoolStatistics statistics = pool_statistics();
            nb::dict result;
            result["held_bytes"] = statistics.held_bytes;
            result["idle_bytes"] = statistics.idle_bytes;
            result["idle_limit"] = statistics.idle_limit;
            return result;
        },
        "Bytes of the memory pool: held by results, idle for reuse, and the idle limit.");
    module.def("pool_trim", &pool_trim, "Free the pool's idle blocks.");
    module.def("pool_set_idle_limit", &pool_set_idle_limit, nb::arg("bytes"),
               "Keep at most this many idle bytes for reuse.");
    module.def(
        "empty_u8",
        [](std::size_t height, std::size_t width, std::size_t channels) {
            return pooled_array<std::uint8_t>({height, width, channels});
        },
        nb::arg("height"), nb::arg("width"), nb::arg("channels"),
        "An H x W x C uint8 array over pooled memory, contents undefined.");
}

}  // namespace nssbg::bindings
