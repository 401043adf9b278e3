/* Files of any kind, compressed, packed or neither: read to their end or to an error, whatever they hold */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record/record.h"

#define MUST(cond) do { if (!(cond)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", 0), rc, n = 0;
	char path[64], *files[2];
	struct record r = {0};
	struct reader *in;
	struct err e = {{0}};

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	files[0] = files[1] = path;
	in = reader_open(files, 2, NULL);
	while ((rc = reader_next(in, &r, &e)) > 0 && n++ < 10000)
		MUST(!strncmp(r.file, path, strlen(path)) && r.line > 0);
	MUST(rc >= 0 || e.msg[0]);
	reader_close(in);
	record_free(&r);
	close(fd);
	return 0;
}
