/* Any bytes as Parquet: read to their end or to an error; whatever they hold, what comes out is whole lines of JSON. The inputs that are
 * kept are also those of tool/parquet. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "record/parquet.h"
#include "record/scan.h"

#define ENOUGH ((size_t)16 << 20)
#define LONGEST ((size_t)4 << 20)
#define MUST(cond) do { if (!(cond)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(struct buf *line, const char *p, size_t n)
{
	struct record_field *f = NULL;
	struct scan_fault fault;
	size_t fields, cap = 0;

	buf_clear(line);
	buf_add(line, p, n);
	MUST(scan_object(line->p, line->n, &f, &fields, &cap, &fault) == 0 || strstr(line->p, "\\u0000"));      /* names may have no NUL */
	free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = {{0}};
	struct parquet *q = parquet_open(-1, (const char *)data, size, LONGEST, &e);
	struct buf line = {0};
	const char *p, *nl;
	size_t all = 0;
	ssize_t n = 0;

	MUST(q || e.msg[0]);
	while (q && all < ENOUGH && (n = parquet_read(q, &p, &e)) > 0) {
		all += (size_t)n;
		MUST(p[n - 1] == '\n');
		for (; n; n -= nl + 1 - p, p = nl + 1) {
			nl = memchr(p, '\n', (size_t)n);
			check_line(&line, p, (size_t)(nl - p));
		}
	}
	MUST(n >= 0 || e.msg[0]);
	parquet_close(q);
	buf_free(&line);
	return 0;
}
