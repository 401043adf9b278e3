#include "base/ordered.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/pool.h"

struct worker {
	struct ordered *o;
	pthread_t thread;
	int number;
};

struct ordered {
	struct ordered_work fn;
	size_t window, most, size;
	char *item;                     /* (window, size) */
	bool *worked;                   /* (window) */
	size_t *weight, held;           /* (window), and of those that are on their way together */
	/* Counts of items: done <= taken <= put <= done + window */
	size_t put, taken, done;
	bool finishing;                 /* a thread is calling fn.done */
	bool closed;                    /* no more come */
	int rc;
	int threads;                    /* 1: none but the caller's */
	struct worker *worker;
	pthread_mutex_t lock;
	pthread_cond_t more, room;
};

static void *item_at(struct ordered *o, size_t n)
{
	return o->item + n % o->window * o->size;
}

/* With the lock: takes results in order as far as they are there, unless another thread does. */
static void finish(struct ordered *o)
{
	if (o->finishing)
		return;
	o->finishing = true;
	while (o->done < o->taken && o->worked[o->done % o->window]) {
		int rc = o->rc;

		pthread_mutex_unlock(&o->lock);
		if (rc >= 0)
			rc = o->fn.done(o->fn.arg, item_at(o, o->done));
		pthread_mutex_lock(&o->lock);
		if (rc < 0 && o->rc >= 0)
			o->rc = rc;
		o->held -= o->weight[o->done % o->window];
		o->worked[o->done++ % o->window] = false;
		pthread_cond_signal(&o->room);
	}
	o->finishing = false;
}

static void *run(void *arg)
{
	struct worker *w = arg;
	struct ordered *o = w->o;

	pthread_mutex_lock(&o->lock);
	for (;;) {
		size_t n;
		bool stopped;

		while (o->taken == o->put && !o->closed)
			pthread_cond_wait(&o->more, &o->lock);
		if (o->taken == o->put)
			break;
		n = o->taken++;
		stopped = o->rc < 0;
		pthread_mutex_unlock(&o->lock);
		if (!stopped)
			o->fn.work(o->fn.arg, item_at(o, n), w->number);
		pthread_mutex_lock(&o->lock);
		o->worked[n % o->window] = true;
		finish(o);
	}
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

/* No more items come: waits for the threads. */
static void stop(struct ordered *o, int threads)
{
	int i;

	pthread_mutex_lock(&o->lock);
	o->closed = true;
	pthread_cond_broadcast(&o->more);
	pthread_mutex_unlock(&o->lock);
	for (i = 0; i < threads; i++)
		pthread_join(o->worker[i].thread, NULL);
}

struct ordered *ordered_new(int threads, size_t window, size_t most, size_t item_size, const struct ordered_work *fn)
{
	struct ordered *o = xcalloc(1, sizeof *o);
	sigset_t all, old;
	int i;

	o->fn = *fn;
	o->threads = threads > 0 ? threads : pool_cores();
	o->window = window;
	o->most = most;
	o->size = item_size;
	o->item = xcalloc(window, item_size);
	o->worked = xcalloc(window, sizeof *o->worked);
	o->weight = xcalloc(window, sizeof *o->weight);
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->more, NULL);
	pthread_cond_init(&o->room, NULL);
	o->worker = xcalloc((size_t)o->threads, sizeof *o->worker);
	/* Signals are the first thread's, whose reading they interrupt. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (i = 0; o->threads > 1 && i < o->threads; i++) {
		o->worker[i] = (struct worker){.o = o, .number = i};
		if (pthread_create(&o->worker[i].thread, NULL, run, &o->worker[i]) != 0) {
			o->threads = i > 1 ? i : 1;     /* with those that there are; one alone has nobody to work for */
			if (i == 1)
				stop(o, 1);
			o->closed = false;
			break;
		}
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return o;
}

int ordered_threads(const struct ordered *o)
{
	return o->threads;
}

void *ordered_slot(struct ordered *o)
{
	bool stopped;

	if (o->threads == 1)
		return o->rc < 0 ? NULL : o->item;
	pthread_mutex_lock(&o->lock);
	while ((o->put - o->done == o->window || o->held >= o->most) && o->rc >= 0)
		pthread_cond_wait(&o->room, &o->lock);
	stopped = o->rc < 0;
	pthread_mutex_unlock(&o->lock);
	return stopped ? NULL : item_at(o, o->put);
}

void ordered_put(struct ordered *o, size_t weight)
{
	if (o->threads == 1) {
		o->fn.work(o->fn.arg, o->item, 0);
		o->rc = o->fn.done(o->fn.arg, o->item);
		return;
	}
	pthread_mutex_lock(&o->lock);
	o->held += weight;
	o->weight[o->put++ % o->window] = weight;
	pthread_cond_signal(&o->more);
	pthread_mutex_unlock(&o->lock);
}

void ordered_wait(struct ordered *o)
{
	if (o->threads == 1)
		return;
	pthread_mutex_lock(&o->lock);
	while (o->done < o->put)
		pthread_cond_wait(&o->room, &o->lock);
	pthread_mutex_unlock(&o->lock);
}

int ordered_end(struct ordered *o)
{
	stop(o, o->threads > 1 ? o->threads : 0);
	return o->rc < 0 ? o->rc : 0;
}

void *ordered_item(struct ordered *o, size_t i)
{
	return i < o->window ? o->item + i * o->size : NULL;
}

void ordered_free(struct ordered *o)
{
	pthread_mutex_destroy(&o->lock);
	pthread_cond_destroy(&o->more);
	pthread_cond_destroy(&o->room);
	free(o->item);
	free(o->worked);
	free(o->weight);
	free(o->worker);
	free(o);
}
