/* The pool: every item once, pieces that do not depend on the threads, workers that do not share a number */
#include "test.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "base/pool.h"

struct job {
	int64_t n, grain;
	unsigned char *seen;
	atomic_int busy[64];
	atomic_int pieces;
	int threads;
};

static void mark(void *arg, int64_t from, int64_t to, int worker)
{
	struct job *j = arg;
	int64_t i;

	CHECK(worker >= 0 && worker < j->threads);
	CHECK_INT(atomic_fetch_add(&j->busy[worker], 1), 0);
	CHECK(from % j->grain == 0 && from < to && to <= j->n && (to - from == j->grain || to == j->n));
	for (i = from; i < to; i++)
		j->seen[i]++;
	atomic_fetch_add(&j->pieces, 1);
	atomic_fetch_sub(&j->busy[worker], 1);
}

static void check_run(struct pool *p, int64_t n, int64_t grain)
{
	struct job j = {.n = n, .grain = grain, .threads = pool_threads(p)};
	int64_t i;

	j.seen = xcalloc((size_t)n + 1, 1);
	pool_run(p, n, grain, mark, &j);
	for (i = 0; i < n; i++)
		CHECK_INT(j.seen[i], 1);
	CHECK_INT(j.pieces, (n + grain - 1) / grain);
	free(j.seen);
}

int main(void)
{
	static const int threads[] = {1, 2, 3, 8};
	struct pool *p;
	size_t t;
	int i;

	CHECK_INT(pool_threads(NULL), 1);
	check_run(NULL, 100, 7);
	for (t = 0; t < sizeof threads / sizeof *threads; t++) {
		p = pool_new(threads[t]);
		CHECK_INT(pool_threads(p), threads[t]);
		for (i = 0; i < 300; i++)
			check_run(p, i, i % 13 + 1);
		check_run(p, 100000, 64);
		pool_free(p);
	}
	p = pool_new(0);
	CHECK(pool_threads(p) >= 1);
	pool_free(p);
	pool_free(NULL);
	return 0;
}
