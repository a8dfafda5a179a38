// A test registry in forty lines: TEST(name) { CHECK(...); }. Enough for the core's
// own tests, which need no Python and no package index.
#pragma once

#include <cmath>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <vector>

namespace check {

struct Test {
    std::string name;
    std::function<void()> body;
};

inline std::vector<Test>& tests() {
    static std::vector<Test> all;
    return all;
}
inline int& failures() {
    static int count = 0;
    return count;
}
struct Register {
    Register(const char* name, std::function<void()> body) { tests().push_back({name, body}); }
};

inline void fail(const char* file, int line, const std::string& what) {
    std::printf("%s:%d: %s\n", file, line, what.c_str());
    ++failures();
}

}  // namespace check

#define TEST(name)                                                    \
    static void test_##name();                                        \
    static const check::Register register_##name(#name, test_##name); \
    static void test_##name()
#define CHECK(condition) \
    ((condition) ? void() : check::fail(__FILE__, __LINE__, "not true: " #condition))
#define CHECK_THROWS(expression, Error)                                                 \
    do {                                                                                \
        bool thrown = false;                                                            \
        try {                                                                           \
            (void)(expression);                                                         \
        } catch (const Error&) {                                                        \
            thrown = true;                                                              \
        }                                                                               \
        if (!thrown) check::fail(__FILE__, __LINE__, #expression " throws no " #Error); \
    } while (false)
