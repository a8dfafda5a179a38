// A picture or a map as the kernels' drivers see it: a pointer, three sizes and
// three strides, never owned. Axes are always y, x, c; strides count elements.
#pragma once

#include <cstddef>

namespace nssbg {

template <class T>
struct ImageView {
    T* data = nullptr;
    std::ptrdiff_t height = 0;
    std::ptrdiff_t width = 0;
    std::ptrdiff_t channels = 0;
    std::ptrdiff_t stride_y = 0;
    std::ptrdiff_t stride_x = 0;
    std::ptrdiff_t stride_c = 1;

    T* row(std::ptrdiff_t y) const { return data + y * stride_y; }
    T& at(std::ptrdiff_t y, std::ptrdiff_t x, std::ptrdiff_t c = 0) const {
        return data[y * stride_y + x * stride_x + c * stride_c];
    }
    // Rows can be walked as plain arrays of width * channels elements.
    bool packed_rows() const {
        return (stride_c == 1 || channels == 1) && (stride_x == channels || width <= 1);
    }
    bool empty() const { return height <= 0 || width <= 0 || channels <= 0; }
};

// A view of densely packed memory, height x width x channels.
template <class T>
ImageView<T> packed_view(T* data, std::ptrdiff_t height, std::ptrdiff_t width,
                         std::ptrdiff_t channels) {
    return {data, height, width, channels, width * channels, channels, 1};
}

}  // namespace nssbg
