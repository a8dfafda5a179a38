// PNG: rows unfiltered for reading; cut-outs and masks encoded in parallel strips.
// Filters and chunks as the PNG specification has them (W3C, third edition, 2025).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "nssbg/image_view.hpp"

namespace nssbg {

// Undoes PNG's row filters. `filtered` is height rows of 1 + row_bytes bytes, the
// first of each being its filter; `plain` gets height x row_bytes bytes.
// pixel_bytes (1 to 8) is the distance to the pixel on the left.
// Throws std::invalid_argument for an unknown filter or an impossible size.
void png_unfilter(const std::uint8_t* filtered, std::ptrdiff_t height, std::ptrdiff_t row_bytes,
                  int pixel_bytes, std::uint8_t* plain);

// Time against bytes; the pixels are the same.
enum class PngCompression { fast, standard, best };

struct PngOptions {
    PngCompression compression = PngCompression::standard;
    int threads = 1;
    // Whole chunks (length, type, body, checksum) to stand between IHDR and IDAT.
    const std::uint8_t* chunks = nullptr;
    std::size_t chunk_bytes = 0;
};

// An encoded file, in pieces until it is copied to where it is wanted.
class PngFile {
public:
    PngFile();
    ~PngFile();
    PngFile(PngFile&&) noexcept;
    PngFile& operator=(PngFile&&) noexcept;
    std::size_t size() const;
    void copy_to(std::uint8_t* out) const;  // size() bytes

private:
    friend struct PngFileBuilder;
    struct Pieces;
    std::unique_ptr<Pieces> pieces_;
};

// Encodes grey (1 channel), RGB (3) or RGBA (4) samples of 8 or 16 bits. The view may have any
// strides. The bytes depend on the pixels and the compression only.
// Throws std::invalid_argument for other channels and for sizes that PNG cannot hold.
PngFile png_encode(const ImageView<const std::uint8_t>& pixels, const PngOptions& options);
PngFile png_encode(const ImageView<const std::uint16_t>& pixels, const PngOptions& options);

}  // namespace nssbg
