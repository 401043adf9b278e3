/* C++ by g++: GNU C++17 */
#include "task/language.h"

static const char *const tags[] = {"c++", "cc", "cxx", "hpp", NULL};
static const char *const compile[] = {"g++", "-std=gnu++17", "-O2", "-w", "-pipe", "-o", "main", "main.cpp", NULL};
static const char *const run[] = {"./main", NULL};

const struct language language_cpp = {"cpp", "g++: input and output", tags, "main.cpp", compile, "main", run};
