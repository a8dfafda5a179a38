// Runs the registered tests, all or those whose names contain the first argument,
// and closes with a line of counts.
#include "check.hpp"

int main(int argc, char** argv) {
    const std::string filter = argc > 1 ? argv[1] : "";
    int passed = 0;
    int failed = 0;
    for (const auto& test : check::tests()) {
        if (test.name.find(filter) == std::string::npos) continue;
        const int before = check::failures();
        try {
            test.body();
        } catch (const std::exception& error) {
            check::fail(test.name.c_str(), 0, std::string("uncaught: ") + error.what());
        }
        const bool good = check::failures() == before;
        (good ? passed : failed) += 1;
        if (!good) std::printf("FAILED %s\n", test.name.c_str());
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
