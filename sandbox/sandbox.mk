# The jail: sandbox/r1-sandbox from the files of this folder, libr1 and libseccomp
SANDBOX_OBJ := $(patsubst %.c,$B/%.o,$(wildcard sandbox/*.c))
SECCOMP := $(shell pkg-config --libs libseccomp 2>/dev/null || echo -lseccomp)

$B/bin/r1-sandbox: $(SANDBOX_OBJ) $B/libr1.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(SECCOMP)

sandbox/r1-sandbox: $B/bin/r1-sandbox
	@ln -f $< $@ 2>/dev/null || cp -f $< $@

all: $(if $(filter gcc,$(CONFIG)),sandbox/r1-sandbox,$B/bin/r1-sandbox)
