#include "base/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

double clock_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct progress progress_new(const char *title, int64_t total, const char *unit)
{
	return (struct progress){.title = title, .unit = unit, .total = total, .started = clock_seconds(), .shown = isatty(2)};
}

void progress_rate(struct progress *p, const char *rate)
{
	p->rate = rate;
}

static void draw(struct progress *p, double now)
{
	double spent = now - p->started;

	fprintf(stderr, "\r\033[K%s %lld", p->title, (long long)p->done);
	if (p->total)
		fprintf(stderr, "/%lld", (long long)p->total);
	fprintf(stderr, " %s", p->unit);
	if (p->rate && spent > 0)
		fprintf(stderr, ", %.0f %s", (double)p->count / spent, p->rate);
	if (p->total && p->done > 0 && p->done <= p->total) {
		long left = (long)(spent * (double)(p->total - p->done) / (double)p->done + 0.5);

		fprintf(stderr, ", %ld:%02ld left", left / 60, left % 60);
	}
	fflush(stderr);
}

void progress_set(struct progress *p, int64_t done, int64_t count)
{
	double now;

	p->done = done;
	p->count = count;
	if (!p->shown)
		return;
	now = clock_seconds();
	if (now - p->drawn < 0.1)
		return;
	p->drawn = now;
	draw(p, now);
}

void progress_end(struct progress *p)
{
	if (p->shown && p->drawn > 0) {
		fputs("\r\033[K", stderr);
		fflush(stderr);
	}
}
