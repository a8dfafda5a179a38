// The core's reports as Python's dicts, by the names of reports.hpp.
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <type_traits>
#include <vector>

#include "reports.hpp"

namespace nssbg::bindings {

namespace nb = nanobind;

// top, left, bottom, right.
inline nb::tuple tuple_of(const Box& box) {
    return nb::make_tuple(box.top, box.left, box.bottom, box.right);
}

template <class Report>
nb::dict dict_of(const Report& report) {
    nb::dict result;
    each_field(report, [&result](const char* name, const auto& value) {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::vector<std::string>>) {
            nb::list texts;
            for (const std::string& text : value) texts.append(text.c_str());
            result[name] = nb::tuple(texts);
        } else if constexpr (std::is_same_v<Value, std::vector<Box>>) {
            nb::list boxes;
            for (const Box& box : value) boxes.append(tuple_of(box));
            result[name] = nb::tuple(boxes);
        } else if constexpr (std::is_array_v<std::remove_reference_t<decltype(value)>> &&
                             !std::is_convertible_v<decltype(value), const char*>) {
            nb::list values;
            for (const float part : value) values.append(part);
            result[name] = nb::tuple(values);
        } else {
            result[name] = value;
        }
    });
    return result;
}

}  // namespace nssbg::bindings
