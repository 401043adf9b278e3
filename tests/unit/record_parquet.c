/* Parquet that is cut off at any byte, or damaged in any: it ends in an error or gives whole lines, in bounded memory */
#include "test.h"

#include <dirent.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "record/parquet.h"

#define CORPUS "tests/fuzz/parquet.corpus"
#define ENOUGH ((size_t)1 << 20)
#ifdef __SANITIZE_ADDRESS__
#define LARGE ((size_t)2 << 30)         /* of memory: what was freed is kept for a while */
#else
#define LARGE ((size_t)64 << 20)
#endif

/* Reads the n bytes, from a copy that ends where they do: 1 if to their end, 0 if to an error, -1 if they are none from the start. */
static int read_all(const char *bytes, size_t n, struct err *e)
{
	char *copy = xmalloc(n + !n);
	struct parquet *q;
	size_t all = 0;
	const char *p;
	ssize_t got = 0;
	int rc;

	memcpy(copy, bytes, n);
	q = parquet_open(-1, copy, n, ENOUGH, e);
	while (q && all < ENOUGH && (got = parquet_read(q, &p, e)) > 0) {
		CHECK(*p == '{' && p[got - 1] == '\n');
		all += (size_t)got;
	}
	rc = !q ? -1 : got >= 0;
	parquet_close(q);
	free(copy);
	return rc;
}

static void cut(const char *name, const struct buf *b, size_t step)
{
	struct err e;
	size_t n;

	for (n = 0; n < b->n; n += step) {
		e.msg[0] = 0;
		if (read_all(b->p, n, &e) >= 0 || !e.msg[0])
			TEST_FAIL("%s: not refused when cut to %zu bytes", name, n);
	}
}

static void damage(struct buf *b, struct rng *rng, size_t step)
{
	struct err e;
	size_t at, i;

	for (at = rng_below(rng, step); at < b->n; at += step) {
		unsigned char old = (unsigned char)b->p[at];

		b->p[at] = (char)(rng_below(rng, 3) ? old ^ 1 << rng_below(rng, 8) : (int)rng_below(rng, 256));
		read_all(b->p, b->n, &e);
		b->p[at] = (char)old;
	}
	/* several at once, and pieces taken from elsewhere */
	for (i = 0; i < 30; i++) {
		struct buf other = {0};
		size_t k = 1 + rng_below(rng, 4);

		buf_add(&other, b->p, b->n);
		for (; k; k--) {
			size_t n = 1 + rng_below(rng, 8), from = rng_below(rng, b->n), to = rng_below(rng, b->n);

			if (from + n <= b->n && to + n <= b->n)
				memcpy(other.p + to, b->p + from, n);
		}
		read_all(other.p, other.n, &e);
		buf_free(&other);
	}
}

int main(void)
{
	struct rng rng = rng_new(1, 1);
	DIR *d = opendir(CORPUS);
	const struct dirent *f;
	int files = 0;

	CHECK(d != NULL);
	while ((f = readdir(d))) {
		char *path = file_join(CORPUS, f->d_name);
		struct buf b = {0};
		struct err e;

		if (f->d_name[0] != '.') {
			CHECK(file_read(path, &b, &e) == 0);
			CHECK((read_all(b.p, b.n, &e) == 1) == (strncmp(f->d_name, "bad-", 4) != 0));
			cut(path, &b, 1 + b.n / 500);
			damage(&b, &rng, 1 + b.n / 500);
			files++;
		}
		buf_free(&b);
		free(path);
	}
	closedir(d);
	CHECK(files > 30);
	if (memory_peak() > LARGE)
		TEST_FAIL("%zu MB were in memory", memory_peak() >> 20);
	return 0;
}
