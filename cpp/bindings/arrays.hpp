// Translates between NumPy arrays and the core's views, and makes result arrays
// whose memory comes from the pool and returns to it when Python lets go.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>

#include "nssbg/image_view.hpp"
#include "nssbg/pool.hpp"

namespace nssbg::bindings {

namespace nb = nanobind;

// Any strided CPU array of T; a read-only one where T is const.
template <class T, int Dimensions>
using Array = nb::ndarray<T, nb::numpy, nb::ndim<Dimensions>, nb::device::cpu>;

// H x W x C as a view; strides may be anything, negative included.
template <class T>
ImageView<T> view_of(const Array<T, 3>& array) {
    return {array.data(),
            static_cast<std::ptrdiff_t>(array.shape(0)),
            static_cast<std::ptrdiff_t>(array.shape(1)),
            static_cast<std::ptrdiff_t>(array.shape(2)),
            static_cast<std::ptrdiff_t>(array.stride(0)),
            static_cast<std::ptrdiff_t>(array.stride(1)),
            static_cast<std::ptrdiff_t>(array.stride(2))};
}

// H x W as a view of one channel.
template <class T>
ImageView<T> view_of(const Array<T, 2>& array) {
    return {array.data(),
            static_cast<std::ptrdiff_t>(array.shape(0)),
            static_cast<std::ptrdiff_t>(array.shape(1)),
            1,
            static_cast<std::ptrdiff_t>(array.stride(0)),
            static_cast<std::ptrdiff_t>(array.stride(1)),
            1};
}

// A new C-contiguous array over pooled memory, contents undefined.
template <class T>
nb::ndarray<nb::numpy, T> pooled_array(std::initializer_list<std::size_t> shape) {
    std::size_t count = 1;
    for (const std::size_t size : shape) {
        // A view may repeat one element for ever (strides of 0); its copy needs real memory.
        if (size != 0 && count > static_cast<std::size_t>(-1) / size) throw std::bad_alloc();
        count *= size;
    }
    void* memory = pool_take_items(count, sizeof(T));
    nb::capsule owner(memory, [](void* block) noexcept { pool_release(block); });
    return nb::ndarray<nb::numpy, T>(static_cast<T*>(memory), shape, owner);
}

// An array that takes over a block from the pool; shape says how it is read.
template <class T>
nb::ndarray<nb::numpy, T> pooled_array(Scratch<T> block, std::initializer_list<std::size_t> shape) {
    T* memory = block.release();
    nb::capsule owner(memory, [](void* given) noexcept { pool_release(given); });
    return nb::ndarray<nb::numpy, T>(memory, shape, owner);
}

void bind_calls(nb::module_& module);
void bind_compose(nb::module_& module);
void bind_corrections(nb::module_& module);
void bind_decontaminate(nb::module_& module);
void bind_defocus(nb::module_& module);
void bind_framing(nb::module_& module);
void bind_refine(nb::module_& module);
void bind_messages(nb::module_& module);
void bind_png(nb::module_& module);
void bind_prepare(nb::module_& module);
void bind_runtime(nb::module_& module);
void bind_segment(nb::module_& module);
void bind_shadow(nb::module_& module);
void bind_studio(nb::module_& module);
void bind_tiles(nb::module_& module);

}  // namespace nssbg::bindings
