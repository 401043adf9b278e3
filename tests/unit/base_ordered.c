/* ordered: order kept whatever the threads and how long each item takes; stopping; a window smaller than the work */
#include "base/ordered.h"
#include "base/rng.h"
#include "test.h"

struct item {
	int n;
	int64_t result;
};

struct state {
	int next, stop_at, seen_workers;
	int64_t sum, held;
};

static void work(void *arg, void *p, int worker)
{
	struct item *it = p;
	struct rng r = rng_new(1, (uint64_t)it->n);

	(void)arg;
	CHECK(worker >= 0 && worker < 8);
	if (rng_below(&r, 8) == 0)
		usleep((unsigned)rng_below(&r, 2000));
	it->result = (int64_t)it->n * it->n;
}

static int done(void *arg, void *p)
{
	struct state *s = arg;
	struct item *it = p;

	CHECK_INT(it->n, s->next);
	CHECK_INT(it->result, (int64_t)it->n * it->n);
	s->sum += it->result;
	__atomic_sub_fetch(&s->held, it->n % 7, __ATOMIC_SEQ_CST);
	return ++s->next == s->stop_at ? -7 : 0;
}

static void try(int threads, size_t window, size_t most, int n, int stop_at)
{
	struct state s = {.stop_at = stop_at};
	struct ordered_work fn = {work, done, &s};
	struct ordered *o = ordered_new(threads, window, most, sizeof(struct item), &fn);
	struct item *it;
	int i;

	for (i = 0; i < n && (it = ordered_slot(o)); i++) {
		it->n = i;
		CHECK(__atomic_load_n(&s.held, __ATOMIC_SEQ_CST) < (int64_t)most);
		__atomic_add_fetch(&s.held, i % 7, __ATOMIC_SEQ_CST);
		ordered_put(o, (size_t)(i % 7));
	}
	if (stop_at) {
		CHECK_INT(ordered_end(o), -7);
		CHECK_INT(s.next, stop_at);
	} else {
		CHECK_INT(ordered_end(o), 0);
		CHECK_INT(s.next, n);
	}
	CHECK(ordered_item(o, window - 1) && !ordered_item(o, window));
	ordered_free(o);
}

int main(void)
{
	int threads;

	for (threads = 1; threads <= 8; threads += threads) {
		try(threads, 1, 1000, 50, 0);
		try(threads, 3, 1000, 200, 0);
		try(threads, 64, 1000, 1000, 0);
		try(threads, 64, 1000, 0, 0);
		try(threads, 16, 1000, 500, 123);
		try(threads, 4, 1000, 500, 1);
		try(threads, 64, 1, 200, 0);
		try(threads, 64, 20, 1000, 0);
	}
	return 0;
}
