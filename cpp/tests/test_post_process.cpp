// Post-processing of maps and merging of alphas: what goes, what stays, what is refused.
#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "nssbg/cleanup.hpp"
#include "nssbg/merge_alpha.hpp"
#include "nssbg/post_process.hpp"

using namespace nssbg;

namespace {

constexpr std::ptrdiff_t side = 160;

template <class T>
struct Map {
    std::vector<T> data = std::vector<T>(side * side, 0);

    ImageView<T> view() { return packed_view(data.data(), side, side, 1); }
    void fill(std::ptrdiff_t top, std::ptrdiff_t left, std::ptrdiff_t size, double value) {
        const double full = sizeof(T) == 1 ? 255 : 1;
        for (std::ptrdiff_t y = top; y < top + size; ++y)
            for (std::ptrdiff_t x = left; x < left + size; ++x)
                data[y * side + x] = static_cast<T>(value * full);
    }
};

template <class T>
void check_rules() {
    Map<T> map;
    map.fill(30, 30, 100, 1.0);
    const std::vector<T> subject = map.data;
    map.fill(60, 60, 8, 0.7);     // a dip, seen as subject
    map.fill(140, 140, 12, 0.4);  // a faint blob apart, as near as stray alpha may be
    map.fill(2, 150, 4, 0.05);    // a veil far from all
    post_process(map.view());
    CHECK(map.data == subject);
    map.fill(60, 60, 8, 0.2);  // a hole
    const std::vector<T> open = map.data;
    post_process(map.view());
    CHECK(map.data == open);
}

}  // namespace

TEST(post_processing_fills_dips_and_drops_what_is_faint) {
    check_rules<std::uint8_t>();
    check_rules<float>();
}

TEST(stray_alpha_goes_beyond_the_reach_alone) {
    Map<std::uint8_t> map;
    map.fill(50, 50, 10, 1.0);
    map.fill(50, 60, 100, 0.05);
    remove_stray_alpha(map.view(), 0.1, 0.03);  // ceil(0.03 * 160): 5 pixels
    CHECK(map.data[50 * side + 64] != 0);
    CHECK(map.data[50 * side + 65] == 0);
    CHECK(map.data[64 * side + 60] != 0);
    CHECK(map.data[65 * side + 60] == 0);
    CHECK_THROWS(remove_stray_alpha(map.view(), 1.0, 0.03), std::invalid_argument);
    CHECK_THROWS(remove_stray_alpha(map.view(), 0.1, -0.1), std::invalid_argument);
    CHECK_THROWS(remove_stray_alpha(ImageView<float>{}, 0.1, 0.03), std::invalid_argument);
}

TEST(small_components_go_by_the_share_of_the_picture) {
    // 2e-6 of 2 MP are four pixels: three go, four stay.
    std::vector<std::uint8_t> alpha(1000 * 2000, 0);
    std::fill_n(alpha.begin() + 2000 * 10 + 10, 3, std::uint8_t{255});
    std::fill_n(alpha.begin() + 2000 * 30 + 10, 4, std::uint8_t{255});
    const auto report = remove_small_components(packed_view(alpha.data(), 1000, 2000, 1));
    CHECK(report.changed == 1);
    CHECK(std::count(alpha.begin(), alpha.end(), 255) == 4);
}

TEST(alphas_merge_to_the_nearest_in_the_finer_type) {
    const std::uint8_t bytes[3] = {255, 128, 3};
    const std::uint16_t own[3] = {65535, 1000, 65535};
    std::uint16_t product[3] = {};
    merge_alpha(packed_view(&bytes[0], 1, 3, 1), packed_view(&own[0], 1, 3, 1),
                packed_view(&product[0], 1, 3, 1));
    CHECK(product[0] == 65535 && product[1] == 502 && product[2] == 771);
    const float parts[3] = {1.0f, 0.5f, 0.0f};
    float finer[3] = {};
    merge_alpha(packed_view(&parts[0], 1, 3, 1), packed_view(&own[0], 1, 3, 1),
                packed_view(&finer[0], 1, 3, 1));
    CHECK(finer[0] == 1.0f && finer[1] == 0.5f * (1000.0f / 65535.0f) && finer[2] == 0.0f);
    CHECK_THROWS(merge_alpha(packed_view(&bytes[0], 1, 3, 1), packed_view(&own[0], 1, 2, 1),
                             packed_view(&product[0], 1, 3, 1)),
                 std::invalid_argument);
}
