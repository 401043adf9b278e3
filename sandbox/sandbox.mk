# The jail: sandbox/r1-sandbox from the files of this folder, libr1 and libseccomp. The harnesses, and what makes an interpreter a zygote,
# are part of the program: it shows them to the boxes in /.r1.
SANDBOX_OBJ := $(patsubst %.c,$B/%.o,$(filter-out sandbox/python.c,$(wildcard sandbox/*.c))) $B/sandbox/harness.o
SECCOMP := $(shell pkg-config --libs libseccomp 2>/dev/null || echo -lseccomp)
HARNESS := $(wildcard sandbox/harness/*)

$B/bin/r1-sandbox: $(SANDBOX_OBJ) $B/libr1.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(call carried,..) -o $@ $^ $(LDLIBS) $(SECCOMP)

# Loaded by an interpreter that was built elsewhere: without sanitizers, whatever this build has
$B/sandbox/zygote.so: $(addprefix sandbox/,python.c zygote.c box.c watch.c apply.c jail.h box.h)
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=gnu11 -O2 -fPIC -shared -fvisibility=hidden $(WARN) -o $@ $(filter %.c,$^)

# const struct view_text view_harness[]: every file as bytes, with an empty name behind the last
$B/sandbox/harness.c: $(HARNESS) $B/sandbox/zygote.so sandbox/sandbox.mk
	@mkdir -p $(@D)
	@{ echo '#include "view.h"'; n=0; for f in $(HARNESS) $B/sandbox/zygote.so; do n=$$((n + 1)); echo "static const unsigned char text$$n[] = {"; \
	  od -An -v -tu1 $$f | sed 's/  */,/g; s/^,//; s/$$/,/'; echo '0};'; done; \
	  echo 'const struct view_text view_harness[] = {'; n=0; for f in $(HARNESS) $B/sandbox/zygote.so; do n=$$((n + 1)); \
	  echo "	{\"$${f##*/}\", text$$n, sizeof text$$n - 1},"; done; echo '	{0}};'; } > $@.tmp && mv $@.tmp $@
$B/sandbox/harness.o: $B/sandbox/harness.c sandbox/view.h
	$(CC) $(CPPFLAGS) -Isandbox $(CFLAGS) -c -o $@ $<

sandbox/r1-sandbox: $B/bin/r1-sandbox
	@ln -f $< $@ 2>/dev/null || cp -f $< $@

# Whoever makes r1-reward alone wants it, too.
ifeq ($(CONFIG),gcc)
all: sandbox/r1-sandbox
bin/r1-reward: | sandbox/r1-sandbox
else
all: $B/bin/r1-sandbox
endif
$B/bin/r1-reward: | $B/bin/r1-sandbox
