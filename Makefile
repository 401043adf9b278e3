# r1: DeepSeek-R1's training as Unix filters.  `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

CC ?= cc
ifeq ($(origin CC),default)
CC := gcc
endif
OPT ?= -O3
WARN := -Wall -Wextra -Wpointer-arith -Wshadow -Wstrict-prototypes -Wno-missing-field-initializers
ifdef WERROR
WARN += -Werror
endif
CONFIG := $(notdir $(CC))$(if $(SAN),-san)
B := build/$(CONFIG)
BIN := $(if $(filter build/gcc,$B),bin,$B/bin)
PKGS := jansson libarchive libpcre2-8 libcurl liblz4 libzstd zlib
CPPFLAGS += -Ilib -D_GNU_SOURCE $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
CFLAGS += -std=gnu11 $(OPT) -g -ffp-contract=off -pthread $(WARN)
# FLINT and Snappy have no pkg-config file everywhere; before FLINT 3 Arb was a library of its own
FLINT := $(if $(wildcard /usr/include/flint/acb.h /usr/local/include/flint/acb.h),-lflint,-lflint-arb -lflint) -lgmp
LDLIBS := -Wl,--as-needed $(shell pkg-config --libs $(PKGS) 2>/dev/null || echo -ljansson -larchive -lpcre2-8 -lcurl -llz4 -lzstd -lz) $(FLINT) -lsnappy -lm -ldl -pthread
ifdef SAN
CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
endif

TOOLS := $(patsubst bin/%.c,%,$(wildcard bin/r1-*.c))
# Programs without their sources are a bundle (make bundle): nothing is compiled there.
ifndef TOOLS
BUNDLE := 1
TOOLS := $(filter-out %.so,$(notdir $(wildcard bin/r1-*)))
endif
# $(call carried,UP): look for libraries there first, from a program's folder UP folders below
carried = -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/$1/lib/r1'
LAYERS := base record tensor text model task
# Sources compiled once for each instruction set (with ISA, ISA_NAME defined), those of a library that is loaded, and all others
ISA_SRC := $(wildcard lib/tensor/cpu/isa/*.c)
MPI_SRC := $(wildcard lib/base/mpi/*.c)
LIB_SRC := $(filter-out $(ISA_SRC) $(MPI_SRC),$(foreach l,$(LAYERS),$(wildcard lib/$l/*.c lib/$l/*/*.c)))
ARCH := $(shell uname -m)
ISAS := portable $(if $(filter x86_64,$(ARCH)),avx2 avx512)
ISAFLAGS_portable :=
ISAFLAGS_avx2 := -mavx2 -mfma -mf16c
ISAFLAGS_avx512 := -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mprefer-vector-width=512
# Kernels are long unrolled code, for which the sanitizers' checks take minutes to build: the address sanitizer looks at those of the
# instruction sets that run almost everywhere, which are made from the same sources as the others.
SANITIZED := $(findstring -fsanitize,$(CFLAGS))
ISAFLAGS_portable += $(if $(SANITIZED),-O1 -fno-sanitize=undefined)
ISAFLAGS_avx2 += $(if $(SANITIZED),-O1 -fno-sanitize=undefined)
ISAFLAGS_avx512 += $(if $(SANITIZED),-O1 -fno-sanitize=all)
# The CUDA backend is a shared object that backend_open("cuda") loads. nvcc makes it, if there is one, for CUDA_ARCHS (those that this nvcc
# knows) and in PTX of the newest, once for all configurations. tests/cuda/ makes the same sources run without a GPU.
NVCC ?= $(firstword $(shell command -v nvcc) $(wildcard /usr/local/cuda/bin/nvcc))
CUDA_ARCHS ?= 80 90 100
CUDA_SRC := $(wildcard lib/tensor/cuda/*.cu)
CUDA_BASE := lib/base/err.c lib/base/mem.c
# What tells the processes of mpirun of each other is loaded, too, and made where there is an MPI (MPICC= leaves it out).
MPICC ?= $(shell command -v mpicc)
LOADED := $(if $(NVCC),r1-cuda.so) $(if $(MPICC),r1-mpi.so)
# Kinds of plug-ins: every file lib/LAYER/KIND/NAME.c ends with `const struct KIND KIND_NAME = {...}`
KINDS := model/family model/loss task/reward task/verifier task/language task/advantage task/filter

ifdef BUNDLE
export PATH := $(PATH):$(CURDIR)/lib/r1/bin
LOADED := $(notdir $(wildcard bin/*.so))
all deps:
	@:
else
OBJ := $(LIB_SRC:%.c=$B/%.o) $(foreach i,$(ISAS),$(ISA_SRC:%.c=$B/%.$i.o)) $B/plugins.o

# The programs of the plain configuration stand beside their source; those of the others in their build folder.
ifeq ($(CONFIG),gcc)
all: $(TOOLS:%=bin/%) $(LOADED:%=bin/%) $(if $(NVCC),,no-nvcc) ## build the tools
bin/%: $B/bin/%
	@ln -f $< $@ 2>/dev/null || cp -f $< $@
else
all: $(TOOLS:%=$B/bin/%) $(LOADED:%=$B/bin/%) $(if $(NVCC),,no-nvcc)
endif

.SECONDARY: $(TOOLS:%=$B/bin/%.o) $(TOOLS:%=$B/bin/%)
$B/bin/%: $B/bin/%.o $B/libr1.a
	$(CC) $(CFLAGS) $(LDFLAGS) $(call carried,..) -o $@ $^ $(LDLIBS)

$B/libr1.a: $(OBJ)
	@rm -f $@
	@ar rcs $@ $^

# Said before the first file is compiled, not by a header that is not found
MISSING = $(shell command -v pkg-config >/dev/null && for p in $(PKGS); do pkg-config --exists $$p || echo $$p; done; \
	  echo '\#include <flint/fmpq.h>' | $(CC) -E - >/dev/null 2>&1 || echo flint; echo '\#include <snappy-c.h>' | $(CC) -E - >/dev/null 2>&1 || echo snappy)
packages:
	@[ -z "$(MISSING)" ] || { echo "missing: $(MISSING) (as pkg-config calls it); 'make deps' installs what is needed" >&2; exit 1; }

$B/%.o: %.c | packages
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

ifneq ($(NVCC),)
CUDA_KNOWN := $(shell $(NVCC) --list-gpu-arch 2>/dev/null)
CUDA_USED := $(foreach a,$(CUDA_ARCHS),$(if $(filter compute_$a,$(CUDA_KNOWN)),$a))
NVCCFLAGS := -std=c++17 -O3 -fmad=false -Ilib -D_GNU_SOURCE -Xcompiler -fPIC,-Wall,-fvisibility=hidden -lineinfo \
	$(foreach a,$(CUDA_USED),-gencode arch=compute_$a,code=sm_$a) \
	-gencode arch=compute_$(lastword $(CUDA_USED)),code=compute_$(lastword $(CUDA_USED)) $(if $(WERROR),-Werror all-warnings)
build/cuda/%.o: %.cu
	@mkdir -p $(@D)
	$(NVCC) $(NVCCFLAGS) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<
build/cuda/%.o: %.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -fPIC -fvisibility=hidden -Ilib -D_GNU_SOURCE $(WARN) -MMD -MP -c -o $@ $<
build/cuda/r1-cuda.so: $(CUDA_SRC:%.cu=build/cuda/%.o) $(CUDA_BASE:%.c=build/cuda/%.o)
	$(NVCC) -shared -o $@ $^ -lcublasLt -Xlinker -rpath,$(abspath $(dir $(NVCC))../lib64)
$B/bin/r1-cuda.so: build/cuda/r1-cuda.so
	@mkdir -p $(@D)
	@ln -f $< $@ 2>/dev/null || cp -f $< $@
-include $(shell find build/cuda -name '*.d' 2>/dev/null)
endif
build/mpi/r1-mpi.so: $(MPI_SRC) lib/base/team.h lib/base/err.h lib/base/err.c
	@mkdir -p $(@D)
	OMPI_CC='$(CC)' MPICH_CC='$(CC)' $(MPICC) -std=gnu11 -O2 -g -fPIC -shared -fvisibility=hidden -Ilib -D_GNU_SOURCE $(WARN) -o $@ $(filter %.c,$^)
$B/bin/r1-mpi.so: build/mpi/r1-mpi.so
	@mkdir -p $(@D)
	@ln -f $< $@ 2>/dev/null || cp -f $< $@
no-nvcc:
	@echo 'no nvcc: without --backend cuda'

define isa_rule
$B/%.$1.o: %.c
	@mkdir -p $$(@D)
	$$(CC) $$(CPPFLAGS) $$(CFLAGS) $(ISAFLAGS_$1) -DISA=$1 -DISA_NAME='"$1"' -DISA_$1 -MMD -MP -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call isa_rule,$i)))

# plugins.c lists what is there: const struct KIND *const KIND_table[] = {..., NULL}
PLUGIN_SRC := $(foreach k,$(KINDS),$(wildcard lib/$k/*.c))
$B/plugins.c: $(PLUGIN_SRC) Makefile
	@mkdir -p $(@D)
	@{ for k in $(KINDS); do n=$${k##*/}; echo "struct $$n;"; \
	  for f in $(PLUGIN_SRC); do case $$f in lib/$$k/*) b=$${f##*/}; echo "extern const struct $$n $${n}_$${b%.c};";; esac; done; \
	  echo "extern const struct $$n *const $${n}_table[];"; \
	  echo "const struct $$n *const $${n}_table[] = {"; \
	  for f in $(PLUGIN_SRC); do case $$f in lib/$$k/*) b=$${f##*/}; echo "	&$${n}_$${b%.c},";; esac; done; \
	  echo "	(void *)0};"; done; } > $@.tmp && mv $@.tmp $@
$B/plugins.o: $B/plugins.c
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

-include $(shell find $B -path '*/scratch' -prune -o -name '*.d' -print 2>/dev/null)

# Debian's packages (FLINT 3 has Arb in it, and what apt has no version of is not asked for): to build, and for the pipes of stages/ and the tests
PACKAGES := gcc make pkg-config libflint-dev libflint-arb-dev libjansson-dev libarchive-dev libpcre2-dev libseccomp-dev libcurl4-openssl-dev libsnappy-dev liblz4-dev libzstd-dev zlib1g-dev jq parallel gnuplot-nox
deps: ## install missing packages (apt, as root or by sudo), or print the line that does
	@missing=; need() { eval "$$1" >/dev/null 2>&1 || missing="$$missing $$2"; }; \
	need 'command -v $(CC)' gcc; need 'command -v pkg-config' pkg-config; need 'pkg-config --exists jansson' libjansson-dev; \
	need 'pkg-config --exists libarchive' libarchive-dev; need 'pkg-config --exists libpcre2-8' libpcre2-dev; \
	need 'pkg-config --exists libseccomp' libseccomp-dev; \
	need 'echo "#include <flint/fmpq.h>" | $(CC) -E -' libflint-dev; \
	need 'echo "#include <flint/acb.h>" | $(CC) -E - || echo "#include <acb.h>" | $(CC) -E -' libflint-arb-dev; \
	need 'echo "#include <gmp.h>" | $(CC) -E -' libgmp-dev; need 'pkg-config --exists libcurl' libcurl4-openssl-dev; \
	need 'echo "#include <snappy-c.h>" | $(CC) -E -' libsnappy-dev; need 'pkg-config --exists liblz4' liblz4-dev; \
	need 'pkg-config --exists libzstd' libzstd-dev; need 'pkg-config --exists zlib' zlib1g-dev; \
	need 'command -v jq' jq; need 'command -v parallel' parallel; need 'command -v gnuplot' gnuplot-nox; \
	[ -n "$$missing" ] || exit 0; \
	if ! command -v apt-get >/dev/null; then echo "missing:$$missing (names of Debian's packages)" >&2; exit 1; fi; \
	known() { apt-cache show $$1 2>/dev/null | grep ^Version: >/dev/null; }; \
	ask() { for p in $$missing; do known $$p || ! known libflint-dev && echo $$p; done; true; }; \
	run() { $$1 apt-get update -q && ask | $$1 env DEBIAN_FRONTEND=noninteractive xargs apt-get install -y -q --no-install-recommends; }; \
	if [ "$$(id -u)" = 0 ]; then run ''; elif sudo -n true 2>/dev/null; then run sudo; \
	else echo "missing packages; run:  sudo apt-get install $$(ask | xargs)" >&2; exit 1; fi

clean: ## remove what was built (not run/)
	rm -rf build $(TOOLS:%=bin/%) bin/r1-cuda.so bin/r1-mpi.so sandbox/r1-sandbox
endif
include $(wildcard data/*.mk stages/*.mk sandbox/*.mk tests/*.mk)

# What is given on the command line and read by nothing was mistyped (a make within a make hands on what was looked at).
GIVEN := $(if $(MAKELEVEL:0=),,$(strip $(foreach v,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $v))),$v))))
MISNAMED := $(if $(GIVEN),$(shell stages/misnamed '$(MAKECMDGOALS)' '$(GIVEN)' $(filter-out %.d,$(MAKEFILE_LIST)) tests/run-* tests/check-* stages/report))
$(if $(MISNAMED),$(error $(MISNAMED)))

# Where programs look for each other from where they are: r1-reward for r1-sandbox in its own folder, all for the CUDA backend in ../lib/r1.
PREFIX ?= /usr/local
PAGES := $(wildcard man/*.[157])
SANDBOX := $(if $(filter bin,$(BIN)),sandbox,$(BIN))/r1-sandbox
placed := $(TOOLS:%=$(BIN)/%) $(SANDBOX)
placed_libs := $(strip $(LOADED:%=$(BIN)/%) $(if $(BUNDLE),$(wildcard lib/r1/*.so*)))
man_folder = "$(DESTDIR)$(PREFIX)/share/man/man$1"
install: $(placed) $(placed_libs) ## copy the programs and their manual pages to PREFIX=/usr/local (below DESTDIR)
	install -d "$(DESTDIR)$(PREFIX)/bin" $(if $(placed_libs),"$(DESTDIR)$(PREFIX)/lib/r1") $(foreach s,1 5 7,$(call man_folder,$s))
	install -m 755 $(placed) "$(DESTDIR)$(PREFIX)/bin"
	$(if $(placed_libs),install -m 755 $(placed_libs) "$(DESTDIR)$(PREFIX)/lib/r1")
	$(foreach s,1 5 7,install -m 644 $(filter %.$s,$(PAGES)) $(call man_folder,$s);)

uninstall: ## remove from PREFIX what make install put there
	rm -f $(foreach p,$(notdir $(placed)),"$(DESTDIR)$(PREFIX)/bin/$p") $(foreach l,$(sort r1-cuda.so r1-mpi.so $(notdir $(placed_libs))),"$(DESTDIR)$(PREFIX)/lib/r1/$l") \
	  $(foreach s,1 5 7,$(foreach p,$(notdir $(filter %.$s,$(PAGES))),$(call man_folder,$s)/$p))
	if [ -d "$(DESTDIR)$(PREFIX)/lib/r1" ]; then rmdir "$(DESTDIR)$(PREFIX)/lib/r1"; fi

help: ## list the targets and their knobs
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## (.*)/\1\t\2/' | awk -F'\t' '{printf "  %-14s %s\n", $$1, $$2}'

# All that was built with the libraries that it needs, jq and parallel: not the C and C++ libraries, which a system has, nor MPI, which is the cluster's own.
BUNDLE_FILE ?= build/r1-$(ARCH).tar.gz
bundled := build/bundle/r1
packed := $(placed) $(LOADED:%=$(BIN)/%) $(CLOCKWORK) $(BENCHES) $(if $(filter r1-cuda.so,$(LOADED)),$(GPU_TESTS:%=$B/tests/unit/%))
needed = ldd $1 | awk '$$3 ~ /^\// && $$1 !~ /^(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util|nsl|gcc_s|stdc\+\+)\.so)/ {print $$3}' | sort -u
bundle: $(packed) ## pack what was built and all that it needs into BUNDLE_FILE= (.tar.gz, .tar.xz ...), for machines without compiler, packages or root
	@[ $(BIN) = bin ] || { echo 'a bundle is made of the plain build alone' >&2; exit 1; }
	@case '$(BUNDLE_FILE)' in *.tar | *.tar.gz | *.tgz | *.tar.bz2 | *.tar.xz | *.txz | *.tar.zst) ;; *) echo 'BUNDLE_FILE=$(BUNDLE_FILE): .tar.gz, .tar.xz, .tar.zst, .tar.bz2 or .tar' >&2; exit 1;; esac
	@rm -rf $(bundled); mkdir -p $(bundled)/tests $(bundled)/lib/r1/bin
	@cp -r Makefile README.md LICENSE man stages data $(bundled); rm -rf $(bundled)/data/world/*.[ch]
	@cp -r tests/bench.mk tests/check-* tests/run-cuda tests/pytorch $(bundled)/tests
	@cp --parents $(packed) $(wildcard tests/bench/*.py) $(bundled); cd $(bundled) && strip --strip-debug $(packed)
	@cp $$($(call needed,$(filter-out %.so,$(packed)) $$(command -v jq))) $$(command -v jq) $(bundled)/lib/r1
	@cp $$(command -v parallel) $(bundled)/lib/r1/bin
	@printf '#!/bin/sh\nlib=$$(dirname "$$0")/..\nLD_LIBRARY_PATH=$$lib exec "$$lib/jq" "$$@"\n' > $(bundled)/lib/r1/bin/jq; chmod +x $(bundled)/lib/r1/bin/jq
	@tar -C build/bundle --sort=name --owner=0 --group=0 --numeric-owner -caf $(dir $(BUNDLE_FILE)).$(notdir $(BUNDLE_FILE)) r1
	@mv $(dir $(BUNDLE_FILE)).$(notdir $(BUNDLE_FILE)) $(BUNDLE_FILE); rm -rf build/bundle; ls -sh $(BUNDLE_FILE)

.PHONY: all deps bundle install uninstall clean help packages no-nvcc
