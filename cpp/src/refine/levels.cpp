// One level of the guided tier: what its models are fitted to, the fit, the answer that
// the next finer level starts from.
#include "refine/levels.hpp"

namespace nssbg::refine_detail {
// Alpha on the coarsest level: the coarse map, cubically resampled.
void sample_coarse(const GuidedPlan& plan, GuidedScratch& scratch, const RefineKernels& kernels) {
    auto& level = scratch.levels.front();
    const Region& inputs = level.inputs;
    const ptrdiff_t width = inputs.width();
    uint8_t* out = at_least(level.alpha, inputs.height() * width);
    std::int16_t* cache = at_least(scratch.shorts, 4 * width);
    std::int32_t* groups = at_least(scratch.words, plan.coarse.padded_width);
    ptrdiff_t held[4] = {-1, -1, -1, -1};
    for (ptrdiff_t y = inputs.y0; y < inputs.y1; ++y) {
        const ptrdiff_t at = y + table_margin;
        const std::int16_t* rows[4];
        std::int16_t weights[4];
        for (int k = 0; k < 4; ++k) {
            const ptrdiff_t source =
                clamped(plan.rows.first[at] + k - cubic_padding, 0, plan.coarse.height - 1);
            std::int16_t* row = cache + (source & 3) * width;
            if (held[source & 3] != source) {
                const ptrdiff_t x = inputs.x0 + table_margin;
                kernels.cubic_columns_u8(
                    plan.coarse.padded_row(source), plan.columns.first.data() + x,
                    plan.columns.weights.data() + x, plan.columns.count, width, groups, row);
                held[source & 3] = source;
            }
            rows[k] = row;
            weights[k] = plan.rows.weights[k * plan.rows.count + at];
        }
        kernels.cubic_rows_u8(rows, weights, width, out + (y - inputs.y0) * width);
    }
}

// Alpha on a finer level: the coarser level's answer, linearly doubled.
void double_alpha(const GuidedScratch::Level& coarser, GuidedScratch::Level& level,
                  const RefineKernels& kernels) {
    const Region& inputs = level.inputs;  // even bounds
    const ptrdiff_t width = inputs.width();
    uint8_t* out = at_least(level.alpha, inputs.height() * width);
    const auto row_of = [&](ptrdiff_t y) {
        return coarser.refined.data() + (y - coarser.outputs.y0) * coarser.outputs.width() +
               (inputs.x0 / 2 - coarser.outputs.x0);
    };
    for (ptrdiff_t y = inputs.y0; y < inputs.y1; ++y) {
        const ptrdiff_t near = y >> 1;
        const ptrdiff_t far = (y & 1) != 0 ? near + 1 : near - 1;
        kernels.double_u8(row_of(near), row_of(far), width / 2, out + (y - inputs.y0) * width);
    }
}

// Where the user's trimap is sure over a whole cell, alpha is what it says.
void constrain(const GuidedPlan& plan, GuidedScratch::Level& level, int step) {
    if (plan.trimap.data == nullptr) return;
    const ptrdiff_t last_y = plan.trimap.height - 1, last_x = plan.trimap.width - 1;
    for (ptrdiff_t y = level.inputs.y0; y < level.inputs.y1; ++y) {
        uint8_t* row = level.alpha.data() + (y - level.inputs.y0) * level.inputs.width();
        const ptrdiff_t top = clamped(y * step, 0, last_y);
        const ptrdiff_t bottom = clamped(y * step + step - 1, 0, last_y);
        for (ptrdiff_t x = level.inputs.x0; x < level.inputs.x1; ++x) {
            const ptrdiff_t left = clamped(x * step, 0, last_x);
            const ptrdiff_t right = clamped(x * step + step - 1, 0, last_x);
            const uint8_t value = plan.trimap.at(top, left);
            // Corners suffice: trimaps have no detail finer than a cell.
            if ((value == 0 || value == 255) && plan.trimap.at(top, right) == value &&
                plan.trimap.at(bottom, left) == value && plan.trimap.at(bottom, right) == value)
                row[x - level.inputs.x0] = value;
        }
    }
}

// Fits and averages the local models of one level.
void fit(const GuidedPlan& plan, GuidedScratch& scratch, GuidedScratch::Level& level,
         const RefineKernels& kernels) {
    const ptrdiff_t width = level.inputs.width();
    const ptrdiff_t windows = width - 8;  // models a row
    const ptrdiff_t outputs = width - 16;
    // 16 spare floats a row: kernels may not read past a plane, but sum9 works on count + 8.
    const ptrdiff_t moment_row = guided_moments * windows;
    const ptrdiff_t model_row = 4 * windows;
    const ptrdiff_t mean_row = 4 * outputs;
    float* ring = at_least(scratch.floats, guided_window * moment_row + moment_row + model_row +
                                               guided_window * mean_row + 2 * (width + 16));
    float* total = ring + guided_window * moment_row;
    float* model = total + moment_row;
    float* means = model + model_row;
    float* work = means + guided_window * mean_row;
    float* coefficients = at_least(level.coefficients, 4 * outputs * (level.inputs.height() - 16));
    const ptrdiff_t plane = outputs * (level.inputs.height() - 16);
    std::fill_n(total, moment_row, 0.0f);

    for (ptrdiff_t y = 0; y < level.inputs.height(); ++y) {
        const ptrdiff_t guide_row = (y + level.inputs.y0 - level.needed.y0) * level.needed.width() +
                                    (level.inputs.x0 - level.needed.x0);
        float* row = ring + (y % guided_window) * moment_row;
        // The oldest row leaves before its place is taken.
        if (y >= guided_window) kernels.subtract(row, moment_row, total);
        kernels.guided_moments_row(level.guide[0].data() + guide_row,
                                   level.guide[1].data() + guide_row,
                                   level.guide[2].data() + guide_row,
                                   level.alpha.data() + y * width, windows, work, row, windows);
        kernels.add(row, moment_row, total);
        if (y + 1 < guided_window) continue;
        const ptrdiff_t model_y = y + 1 - guided_window;
        kernels.guided_solve_row(total, windows, windows, &plan.parameters, model, windows);
        float* mean = means + (model_y % guided_window) * mean_row;
        for (int c = 0; c < 4; ++c)
            kernels.sum9_columns(model + c * windows, outputs, work, mean + c * outputs);
        if (model_y + 1 < guided_window) continue;
        const ptrdiff_t out_y = model_y + 1 - guided_window;
        for (int c = 0; c < 4; ++c) {
            // Top to bottom, so that the sum's order does not depend on where the tile began.
            const float* rows[guided_window];
            for (ptrdiff_t k = 0; k < guided_window; ++k)
                rows[k] = means + ((out_y + k) % guided_window) * mean_row + c * outputs;
            kernels.mean9_rows(rows, outputs, coefficients + c * plane + out_y * outputs);
        }
    }
}

// What a level's models answer, for the next finer level to start from.
void evaluate(GuidedScratch::Level& level, const RefineKernels& kernels) {
    const Region& outputs = level.outputs;
    const ptrdiff_t width = outputs.width();
    const ptrdiff_t plane = width * outputs.height();
    uint8_t* out = at_least(level.refined, plane);
    for (ptrdiff_t y = outputs.y0; y < outputs.y1; ++y) {
        const ptrdiff_t guide_row =
            (y - level.needed.y0) * level.needed.width() + outputs.x0 - level.needed.x0;
        const ptrdiff_t at = (y - outputs.y0) * width;
        kernels.guided_apply_u8(level.guide[0].data() + guide_row,
                                level.guide[1].data() + guide_row,
                                level.guide[2].data() + guide_row, level.coefficients.data() + at,
                                plane, width, out + at);
    }
}

}  // namespace nssbg::refine_detail
