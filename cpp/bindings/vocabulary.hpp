// The words of the options as every binding has them, read into the core's own types: what Python
// and the browser's module call a filter or a level is one list, with one message for a wrong word.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "nssbg/decontaminate.hpp"
#include "nssbg/network_output.hpp"
#include "nssbg/png.hpp"
#include "nssbg/prepare.hpp"
#include "nssbg/refine.hpp"
#include "nssbg/resample.hpp"
#include "nssbg/second_pass.hpp"
#include "nssbg/studio.hpp"

namespace nssbg::bindings {

inline Filter filter_named(const std::string& name) {
    if (name == "box") return Filter::box;
    if (name == "bilinear") return Filter::bilinear;
    if (name == "bicubic") return Filter::bicubic;
    if (name == "lanczos") return Filter::lanczos;
    if (name == "torch-bilinear") return Filter::torch_bilinear;
    throw std::invalid_argument("unknown filter '" + name + "'");
}

inline RefineLevel level_named(const std::string& name) {
    if (name == "none") return RefineLevel::none;
    if (name == "guided") return RefineLevel::guided;
    if (name == "matting") return RefineLevel::matting;
    if (name == "auto") return RefineLevel::automatic;
    throw std::invalid_argument("refine: unknown level '" + name + "'");
}

inline ForegroundMethod method_named(const std::string& name) {
    if (name == "off") return ForegroundMethod::off;
    if (name == "multilevel") return ForegroundMethod::multilevel;
    if (name == "blur-fusion") return ForegroundMethod::blur_fusion;
    throw std::invalid_argument("method must be 'multilevel', 'blur-fusion' or 'off', got '" +
                                name + "'");
}

inline ChromaScreen screen_named(const std::string& name) {
    if (name == "auto") return ChromaScreen::automatic;
    if (name == "off") return ChromaScreen::off;
    if (name == "green") return ChromaScreen::green;
    if (name == "blue") return ChromaScreen::blue;
    throw std::invalid_argument("chroma must be 'auto', 'off', 'green' or 'blue', got '" + name +
                                "'");
}

inline PngCompression compression_named(const std::string& name) {
    if (name == "fast") return PngCompression::fast;
    if (name == "default") return PngCompression::standard;
    if (name == "best") return PngCompression::best;
    throw std::invalid_argument("compression is '" + name +
                                "'; expected 'fast', 'default' or 'best'");
}

inline Effort effort_named(const std::string& name) {
    if (name == "fast") return Effort::fast;
    if (name == "balanced") return Effort::balanced;
    if (name == "best") return Effort::best;
    throw std::invalid_argument("effort must be 'fast', 'balanced' or 'best', got '" + name + "'");
}

inline Activation activation_named(const std::string& name) {
    if (name == "none") return Activation::none;
    if (name == "sigmoid") return Activation::sigmoid;
    throw std::invalid_argument("activation must be 'none' or 'sigmoid', got '" + name + "'");
}

inline Fit fit_named(const std::string& name) {
    if (name == "cover") return Fit::cover;
    if (name == "contain") return Fit::contain;
    throw std::invalid_argument("fit must be 'cover' or 'contain', got '" + name + "'");
}

inline bool is_contact_named(const std::string& name) {
    if (name == "drop") return false;
    if (name == "contact") return true;
    throw std::invalid_argument("a shadow's kind is 'drop' or 'contact', got '" + name + "'");
}

inline OutputRange range_named(const std::string& name) {
    if (name == "unit") return OutputRange::unit;
    if (name == "minmax") return OutputRange::minmax;
    throw std::invalid_argument("range must be 'unit' or 'minmax', got '" + name + "'");
}

// "center", "bottom", "top-left", ...: the shares of the free space above the subject and left of
// it.
inline std::pair<double, double> align_named(const std::string& name) {
    double down = 0.5, across = 0.5;
    for (std::size_t at = 0; at <= name.size();) {
        const std::size_t end = std::min(name.find('-', at), name.size());
        const std::string word = name.substr(at, end - at);
        if (word == "top" || word == "bottom")
            down = word == "top" ? 0.0 : 1.0;
        else if (word == "left" || word == "right")
            across = word == "left" ? 0.0 : 1.0;
        else if (word != "center")
            throw std::invalid_argument("align is 'center', 'bottom', 'top-left', ..., got '" +
                                        name + "'");
        at = end + 1;
    }
    return {down, across};
}

}  // namespace nssbg::bindings
