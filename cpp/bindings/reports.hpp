// What the core's reports hold, field by field under the names that every binding gives them:
// `field` is called with a name and a value (numbers, bool, float[N], texts, boxes), in a fixed
// order.
#pragma once

#include "nssbg/cleanup.hpp"
#include "nssbg/confidence.hpp"
#include "nssbg/refine.hpp"
#include "nssbg/second_pass.hpp"
#include "nssbg/selector.hpp"
#include "nssbg/studio.hpp"

namespace nssbg::bindings {

template <class Field>
void each_field(const RefineReport& report, Field&& field) {
    field("tiles", report.tiles);
    field("tiles_computed", report.tiles_computed);
    field("band_pixels", report.band_pixels);
    field("matting_pixels", report.matting_pixels);
    field("blocks_solved", report.blocks_solved);
    field("blocks_refused", report.blocks_refused);
    field("iterations", report.iterations);
    field("residual", report.residual);
    field("notes", report.notes);
}

template <class Field>
void each_field(const ComponentReport& report, Field&& field) {
    field("components", report.components);
    field("changed", report.changed);
    field("gave_up", report.gave_up);
}

template <class Field>
void each_field(const StudioReport& report, Field&& field) {
    field("confidence", report.confidence);
    field("backdrop_color", report.backdrop_color);
    field("backdrop_range", report.backdrop_range);
    field("noise", report.noise);
    field("residual", report.residual);
    field("border_share", report.border_share);
    field("side_share", report.side_share);
    field("foreground_share", report.foreground_share);
    field("outline_contrast", report.outline_contrast);
    field("outline_agreement", report.outline_agreement);
    field("outline_length", report.outline_length);
    field("band_share", report.band_share);
    field("subject_unity", report.subject_unity);
    field("border_touch", report.border_touch);
    field("backdrop_texture", report.backdrop_texture);
    field("screen", report.screen == ChromaScreen::green  ? "green"
                    : report.screen == ChromaScreen::blue ? "blue"
                                                          : "");
    field("holes", report.holes);
    field("reduction", report.reduction);
    field("shadow_found", report.shadow_found);
    field("notes", studio_notes(report));
}

template <class Field>
void each_field(const Confidence& confidence, Field&& field) {
    field("known", confidence.known);
    field("overlap", confidence.overlap);
    field("low", confidence.low);
}

template <class Field>
void each_field(const Selection& selection, Field&& field) {
    field("studio", selection.studio);
    field("overlap", selection.overlap);
    field("low", selection.low);
    field("agreement", selection.agreement);
}

template <class Field>
void each_field(const SecondPassReport& report, Field&& field) {
    field("runs", report.runs);
    field("crops", report.crops);
    field("tiles", report.tiles);
    field("gain", report.gain);
    field("changed", report.changed);
    field("notes", report.notes);
}

}  // namespace nssbg::bindings
