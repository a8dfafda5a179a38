// What every function of the C ABI needs: arrays as JavaScript describes them, a status, and one
// text for errors and reports.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "../reports.hpp"
#include "nssbg/image_view.hpp"
#include "nssbg/prepare.hpp"

#define NSSBG_EXPORT extern "C" __attribute__((used, visibility("default")))

namespace nssbg::bindings {

enum class Status : int { done = 0, invalid = 1, no_memory = 2, failed = 3 };
enum class Type : std::int32_t { none = 0, u8 = 1, u16 = 2, f32 = 3, f16 = 4 };

// Eight 32-bit words, as web/core/native-array.js writes them; strides count elements.
struct Array {
    void* data;
    Type type;
    std::int32_t height, width, channels;
    std::int32_t stride_y, stride_x, stride_c;
};
static_assert(sizeof(Array) == 32, "web/core/native-array.js writes eight words");

// Of the last call: what went wrong, or its report.
inline std::string text;

template <class Body>
Status guarded(Body&& body) {
    try {
        body();
        return Status::done;
    } catch (const std::invalid_argument& error) {
        text = error.what();
        return Status::invalid;
    } catch (const std::bad_alloc&) {
        text = "no memory left for this picture";
        return Status::no_memory;
    } catch (const std::exception& error) {
        text = error.what();
        return Status::failed;
    }
}

[[noreturn]] inline void wrong_type(const char* what) {
    throw std::invalid_argument(std::string(what) + " has a type that this cannot take");
}

template <class T>
constexpr Type type_of() {
    using Element = std::remove_const_t<T>;
    if constexpr (std::is_same_v<Element, std::uint8_t>) return Type::u8;
    if constexpr (std::is_same_v<Element, std::uint16_t>) return Type::u16;
    if constexpr (std::is_same_v<Element, float>) return Type::f32;
    if constexpr (std::is_same_v<Element, Half>) return Type::f16;
}

// A view of T, which the array has to hold: a larger type would lead beyond its memory.
template <class T>
ImageView<T> view_of(const Array* array) {
    if (array == nullptr) return {};
    if (array->type != type_of<T>()) wrong_type("one of the arrays");
    return {static_cast<T*>(array->data),
            array->height,
            array->width,
            array->channels,
            array->stride_y,
            array->stride_x,
            array->stride_c};
}

// Calls body with a value of the array's element type.
template <class Body>
void with_integers(const Array* array, const char* what, Body&& body) {
    if (array->type == Type::u8) return body(std::uint8_t{});
    if (array->type == Type::u16) return body(std::uint16_t{});
    wrong_type(what);
}

template <class Body>
void with_map(const Array* array, const char* what, Body&& body) {
    if (array->type == Type::u8) return body(std::uint8_t{});
    if (array->type == Type::f32) return body(float{});
    wrong_type(what);
}

// What of JSON the reports need.
struct Json {
    std::string out = "{";

    void quoted(const std::string& value) {
        out += '"';
        for (const char letter : value) {
            if (letter == '"' || letter == '\\') out += '\\';
            out += letter;
        }
        out += '"';
    }
    void number(double value) {
        char digits[40];
        std::snprintf(digits, sizeof(digits), "%.17g", value);
        out += digits;
    }
    template <class T>
    void value(const T& given) {
        if constexpr (std::is_same_v<T, bool>) {
            out += given ? "true" : "false";
        } else if constexpr (std::is_arithmetic_v<T>) {
            number(static_cast<double>(given));
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            out += '[';
            for (const std::string& part : given) {
                if (out.back() != '[') out += ',';
                quoted(part);
            }
            out += ']';
        } else if constexpr (std::is_same_v<T, std::vector<Box>>) {
            out += '[';
            for (const Box& box : given) {
                if (out.back() != '[') out += ',';
                out += '[' + std::to_string(box.top) + ',' + std::to_string(box.left) + ',' +
                       std::to_string(box.bottom) + ',' + std::to_string(box.right) + ']';
            }
            out += ']';
        } else if constexpr (std::is_convertible_v<T, std::string>) {
            quoted(given);
        } else {
            out += '[';
            for (const float part : given) {
                if (out.back() != '[') out += ',';
                number(static_cast<double>(part));
            }
            out += ']';
        }
    }
};

template <class Report>
void tell(const Report& report) {
    Json json;
    each_field(report, [&json](const char* name, const auto& value) {
        if (json.out.back() != '{') json.out += ',';
        json.quoted(name);
        json.out += ':';
        json.value(value);
    });
    text = json.out + "}";
}

}  // namespace nssbg::bindings
