# Tests: `make test` runs everything that is quick and prints the number that passed; `make fuzz` looks for new failures.
#   TESTS='tool/filter-*'  only the cases whose names match (KIND/NAME; several patterns may be given)
#   UPDATE=1               write what was seen into the expected files of tool cases (look at the diff before it is kept)
#   TEST_JOBS=N            cases run at once
FUZZ_NAMES := $(patsubst tests/fuzz/%.c,%,$(filter-out tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c)))
TEST_JOBS ?= 2
FUZZ_SECONDS ?= 60
LINK_TEST = @mkdir -p $(@D) && rm -f $@ && $(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) $(LDFLAGS) $(call carried,../../../..) -MMD -MP -MF $@.d -MT $@ -o $@ $(filter %.c,$^) $B/libr1.a $(LDLIBS)

# A test that does not build is one that failed; the others run.
test: all $(CLOCKWORK) $B/libr1.a $B/tests/server/api ## run the tests (TESTS=KIND/NAME..., UPDATE=1)
	+@MAKE='$(MAKE)' GPU_TESTS='$(GPU_TESTS)' tests/run-tests '$B' $(TEST_JOBS) $(if $(TESTS),$(TESTS),'*')

$B/tests/unit/%: tests/unit/%.c $B/libr1.a
	$(LINK_TEST)

# The whole pipeline with the model that ships with r1, five steps; the miniature of it is tool/zero-killed
KILLS ?= 10
check-zero: all $(CLOCKWORK) ## kill make zero at random moments (KILLS=10) and hold that the run comes to the same bytes
	@tests/check-zero '$B/tests/check-zero' $(KILLS) STEPS=5 LOOK_EVERY=2 LOOK_PROBLEMS=16 FINAL_PROBLEMS=16 FINAL_SAMPLES=4

# Without libFuzzer: the same targets over their kept inputs, as part of the tests
$B/tests/fuzz/%: tests/fuzz/%.c tests/fuzz/replay.c $B/libr1.a
	$(LINK_TEST)

# What tests of --model http://... speak to
$B/tests/server/%: tests/server/%.c $B/libr1.a
	$(LINK_TEST)

$B/tests/bench/%: tests/bench/%.c $B/libr1.a
	$(LINK_TEST)

# The CUDA backend on a GPU that is not there (tests/cuda/cuda_runtime.h): R1_CUDA=$B/tests/cuda/r1-cuda.so
CXX := $(if $(filter clang,$(notdir $(CC))),clang++,g++)
CXXFLAGS := -std=c++17 -O2 -g -ffp-contract=off -fPIC -fvisibility=hidden -pthread -Wall -Wextra -Wshadow -Wno-unknown-pragmas \
	-Wno-missing-field-initializers $(if $(WERROR),-Werror) $(filter -fsanitize% -fno-sanitize% -fno-omit%,$(CFLAGS)) -Itests/cuda -Ilib -D_GNU_SOURCE
RACES := $(if $(findstring address,$(CXXFLAGS)),,-fsanitize=thread)
EMULATOR := $(patsubst %.cu,$B/tests/cuda/%.o,$(CUDA_SRC)) $(patsubst tests/cuda/%.cpp,$B/tests/cuda/%.o,$(wildcard tests/cuda/*.cpp)) \
	$(CUDA_BASE:%.c=$B/tests/cuda/%.o)
$B/tests/cuda/%.o: %.cu
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(RACES) -MMD -MP -c -o $@ -x c++ $<
$B/tests/cuda/%.o: tests/cuda/%.cpp
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -MMD -MP -c -o $@ $<
$B/tests/cuda/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<
$B/tests/cuda/r1-cuda.so: $(EMULATOR)
	$(CXX) $(CXXFLAGS) -shared -o $@ $^
# Kernels that a GPU would punish
$B/tests/cuda/misuse.o: tests/cuda/misuse.cc
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(RACES) -Ilib/tensor/cuda -MMD -MP -c -o $@ $<
$B/tests/cuda/misuse: $(addprefix $B/tests/cuda/,misuse.o emulator.o races.o)
	$(CXX) $(CXXFLAGS) -o $@ $^

# With it: a build of its own, every object instrumented but the kernels'
FUZZ_FLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
fuzz: ## look for inputs that break the parsers (FUZZ_SECONDS=60 for each; needs clang)
	@CFLAGS='$(FUZZ_FLAGS)' LDFLAGS='-fsanitize=fuzzer,address,undefined' $(MAKE) --no-print-directory -s CC=clang OPT=-O1 SAN= \
	  B=build/fuzz fuzz-run
ifeq ($B,build/fuzz)    # no parser is a kernel, and the unrolled ones take minutes to compile with instruments in them
$(foreach i,$(ISAS),$(ISA_SRC:%.c=$B/%.$i.o)): CFLAGS += -fno-sanitize=all
endif
fuzz-run: $(FUZZ_NAMES:%=$B/fuzz/%)
	@tests/run-fuzz '$B' $(FUZZ_SECONDS) $(FUZZ_NAMES)
$B/fuzz/%: tests/fuzz/%.c $B/libr1.a
	$(LINK_TEST)

# Not those that measure memory, nor those of regular expressions, whose compiled code reads ahead
valgrind: $(filter-out %/record_parquet %/tokenizer,$(patsubst tests/unit/%.c,$B/tests/unit/%,$(wildcard tests/unit/*.c))) ## the unit tests under valgrind (slow)
	@for t in $^; do echo "$$t"; R1_ROOT=$(CURDIR) R1_BUILD=$(abspath $B) valgrind -q --error-exitcode=9 $$t || [ $$? = 77 ] || exit 1; done

.PHONY: valgrind test check-zero fuzz fuzz-run
