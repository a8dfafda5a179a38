// The weights-free method: models a studio backdrop from the picture's border, grows it
// inwards against colour and edge evidence at reduced size, and draws the outline's soft
// band at full size. For products on plain or graded backdrops and for chroma screens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nssbg/image_view.hpp"

namespace nssbg {

// Whether a chroma screen's colour-difference key is used for the soft band.
enum class ChromaScreen : int { automatic = 0, off = 1, green = 2, blue = 3 };

// Below this confidence the alpha is more likely wrong than right.
constexpr float low_studio_confidence = 0.5f;

struct StudioOptions {
    ChromaScreen chroma = ChromaScreen::automatic;
    int threads = 1;
    // Stops after the fit, without an alpha, where the model explains less of the border than
    // this and the border is no screen: a street or a room, whose alpha is of no use.
    float least_border = 0;
};

// What was seen on the way, all in 8-bit levels or shares of 0..1 unless said.
struct StudioReport {
    float confidence = 0;          // see docs/decisions/0200-studio-method.md
    float backdrop_color[3] = {};  // median of the modelled backdrop along the border
    float backdrop_range = 0;      // spread of the modelled backdrop's brightness
    float noise = 0;               // standard deviation of one pixel's noise at full size
    float residual = 0;            // robust spread of the border around the model
    float border_share = 0;        // share of the border that the model explains
    float side_share[4] = {};      // the same for top, bottom, left, right
    float foreground_share = 0;    // share of the picture
    float outline_contrast = 0;    // mean colour distance across the outline
    float outline_agreement = 0;   // share of the outline that lies on a real edge
    float band_share = 0;          // share of the picture in the soft band
    float subject_unity = 0;       // share of the foreground that is its largest piece
    float border_touch = 0;        // share of the picture's border that is foreground
    float backdrop_texture = 0;    // typical gradient inside the backdrop, levels per step
    float outline_length = 0;      // outline over 2 sqrt(pi area): 1 for a disc
    ChromaScreen screen = ChromaScreen::off;
    int holes = 0;      // enclosed pieces of backdrop that were opened
    int reduction = 1;  // full pixels per working pixel along each axis
    bool shadow_found = false;
    bool stopped = false;  // see StudioOptions::least_border: nothing was written
};

// Writes alpha (height x width, 0 backdrop .. 255 subject) for rgb (height x width x 3).
// `shadow` may be empty; else it receives how much light the picture's own soft shadow
// takes from the backdrop (0 none .. 255 all). Output is the same for any thread count
// and ISA level. T is std::uint8_t or std::uint16_t. Throws std::invalid_argument for
// empty or mismatched views.
template <class T>
StudioReport studio_alpha(ImageView<const T> rgb, ImageView<std::uint8_t> alpha,
                          ImageView<std::uint8_t> shadow, const StudioOptions& options);

// What a user should know of an answer, in sentences; none where all is well.
std::vector<std::string> studio_notes(const StudioReport& report);

}  // namespace nssbg
