// Drives a fuzz target where there is no libFuzzer: seeded random inputs, or given files.
//     nssbg_fuzz_NAME RUNS SEED [SECONDS]    RUNS inputs (fewer where SECONDS are over first)
//     nssbg_fuzz_NAME FILE...                each file once
// An input that ends the program is written to finding-NAME in the working directory.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

extern const char* const fuzz_target_name;
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::vector<std::uint8_t> input;
std::string finding;

extern "C" void write_finding(int signal) {
    if (std::FILE* file = std::fopen(finding.c_str(), "wb")) {
        std::fwrite(input.data(), 1, input.size(), file);
        std::fclose(file);
        std::fprintf(stderr, "the input is in %s\n", finding.c_str());
    }
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

bool is_number(const char* text) {
    return text[0] != 0 && std::string(text).find_first_not_of("0123456789") == std::string::npos;
}

int replay(int count, char** names) {
    for (int i = 0; i < count; ++i) {
        std::FILE* file = std::fopen(names[i], "rb");
        if (file == nullptr) {
            std::perror(names[i]);
            return 2;
        }
        input.clear();
        for (int byte; (byte = std::fgetc(file)) != EOF;)
            input.push_back(static_cast<std::uint8_t>(byte));
        std::fclose(file);
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    std::printf("%s: %d files\n", fuzz_target_name, count);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    finding = std::string("finding-") + fuzz_target_name;
    for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL}) std::signal(signal, write_finding);
    if (argc > 1 && !is_number(argv[1])) return replay(argc - 1, argv + 1);
    const long runs = argc > 1 ? std::atol(argv[1]) : 1000;
    const unsigned seed = argc > 2 ? static_cast<unsigned>(std::atol(argv[2])) : 1;
    const std::chrono::seconds limit(argc > 3 ? std::atol(argv[3]) : 1000000);
    const auto begin = std::chrono::steady_clock::now();
    std::mt19937 generator(seed);
    long done = 0;
    for (; done < runs && std::chrono::steady_clock::now() - begin < limit; ++done) {
        input.resize(16 + generator() % 300);
        for (auto& byte : input) byte = static_cast<std::uint8_t>(generator() >> 24);
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    std::printf("%s: %ld random inputs, seed %u\n", fuzz_target_name, done, seed);
    return 0;
}
