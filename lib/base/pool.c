#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/team.h"

#define SPINS 4000

struct worker {
	struct pool *pool;
	pthread_t thread;
	int number;
};

struct pool {
	int threads;
	struct worker *worker;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;                      /* written under the lock, before generation moves */
	_Alignas(64) atomic_uint generation;    /* one more for each job */
	_Alignas(64) atomic_int running;        /* workers that have not finished the job */
	_Alignas(64) atomic_llong next;
	int64_t n, grain;
	void (*fn)(void *arg, int64_t from, int64_t to, int worker);
	void *arg;
};

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#else
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

static void take_pieces(struct pool *p, int number)
{
	for (;;) {
		int64_t from = atomic_fetch_add_explicit(&p->next, p->grain, memory_order_relaxed);
		int64_t to = from + p->grain;

		if (from >= p->n)
			return;
		p->fn(p->arg, from, to < p->n ? to : p->n, number);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;
	unsigned seen = 0;

	for (;;) {
		int spin = 0;

		while (atomic_load_explicit(&p->generation, memory_order_acquire) == seen) {
			if (++spin < SPINS) {
				relax();
				continue;
			}
			pthread_mutex_lock(&p->lock);
			while (atomic_load_explicit(&p->generation, memory_order_acquire) == seen)
				pthread_cond_wait(&p->wake, &p->lock);
			pthread_mutex_unlock(&p->lock);
		}
		seen++;
		if (p->stop)
			return NULL;
		take_pieces(p, w->number);
		atomic_fetch_sub_explicit(&p->running, 1, memory_order_release);
	}
}

static void start_job(struct pool *p)
{
	atomic_store_explicit(&p->next, 0, memory_order_relaxed);
	atomic_store_explicit(&p->running, p->threads - 1, memory_order_relaxed);
	pthread_mutex_lock(&p->lock);
	atomic_fetch_add_explicit(&p->generation, 1, memory_order_release);
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
}

int pool_cores(void)
{
	cpu_set_t set;

	if (team_cores() > 0)
		return team_cores();
	if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
		return CPU_COUNT(&set);
	return 1;
}

struct pool *pool_new(int threads)
{
	struct pool *p = xaligned(sizeof *p);
	int i;

	*p = (struct pool){.threads = threads > 0 ? threads : pool_cores()};
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	p->worker = xcalloc((size_t)p->threads, sizeof *p->worker);
	for (i = 1; i < p->threads; i++) {
		p->worker[i] = (struct worker){.pool = p, .number = i};
		if (pthread_create(&p->worker[i].thread, NULL, work, &p->worker[i]) != 0) {
			p->threads = i;
			break;
		}
	}
	return p;
}

void pool_free(struct pool *p)
{
	int i;

	if (!p)
		return;
	p->stop = true;
	start_job(p);
	for (i = 1; i < p->threads; i++)
		pthread_join(p->worker[i].thread, NULL);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->wake);
	free(p->worker);
	free(p);
}

int pool_threads(const struct pool *p)
{
	return p ? p->threads : 1;
}

void pool_run(struct pool *p, int64_t n, int64_t grain, void (*fn)(void *arg, int64_t from, int64_t to, int worker), void *arg)
{
	int spin = 0;

	if (grain < 1)
		grain = 1;
	if (!p || p->threads == 1 || n <= grain) {
		int64_t from;

		for (from = 0; from < n; from += grain)
			fn(arg, from, from + grain < n ? from + grain : n, 0);
		return;
	}
	p->n = n;
	p->grain = grain;
	p->fn = fn;
	p->arg = arg;
	start_job(p);
	take_pieces(p, 0);
	while (atomic_load_explicit(&p->running, memory_order_acquire) > 0) {
		relax();
		if (++spin > SPINS) {
			sched_yield();
			spin = 0;
		}
	}
}
