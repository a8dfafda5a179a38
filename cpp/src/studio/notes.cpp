// What the studio method's report means, in words.
#include "nssbg/studio.hpp"

namespace nssbg {

std::vector<std::string> studio_notes(const StudioReport& report) {
    std::vector<std::string> notes;
    if (report.foreground_share <= 0)
        notes.emplace_back("no subject found: the whole picture looks like backdrop");
    else if (report.foreground_share >= 1)
        notes.emplace_back("no backdrop found: alpha is opaque everywhere");
    else if (report.border_share < 0.5f)
        notes.emplace_back(
            "the border is not one smooth backdrop; a network is likely to do better");
    else if (report.confidence < low_studio_confidence)
        notes.emplace_back("the studio method is unsure about this picture");
    if (report.screen == ChromaScreen::green) notes.emplace_back("keyed as a green screen");
    if (report.screen == ChromaScreen::blue) notes.emplace_back("keyed as a blue screen");
    return notes;
}

}  // namespace nssbg
