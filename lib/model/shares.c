#include "model/shares.h"

#include <stdlib.h>
#include <string.h>

#include "base/team.h"
#include "base/tool.h"

#define PIECE ((int64_t)1 << 20)        /* numbers that are exchanged at once by way of the hosts */

int64_t shares_begin(int64_t size, int r)
{
	const int64_t chunks = (size + SQUARES - 1) / SQUARES;

	return r == team_size() ? size : chunks * r / team_size() * SQUARES;
}

static int owner(const struct params *p, int64_t at)
{
	int r = 0;

	while (shares_begin(p->size, r + 1) <= at)
		r++;
	return r;
}

int64_t shares_end(const struct params *p, int64_t at)
{
	return shares_begin(p->size, owner(p, at) + 1);
}

bool shares_join(struct backend *be)
{
	const struct backend_team t = {team_rank(), team_size(), team_broadcast, team_any};
	struct err e;

	if (team_size() == 1 || !be->join)
		return false;
	if (be->join(be, &t, &e) == 0) {
		tool_debug("%d devices speak by NCCL", t.size);
		return true;
	}
	tool_debug("numbers go by way of the hosts: %s", e.msg);
	return false;
}

/* ---- by way of the hosts: a piece of everybody's share at once ---- */

struct exchange {
	const struct params *p;
	char *x;                        /* [p->size] */
	size_t bytes;                   /* of a number */
	bool here;                      /* x is in the memory of the host */
	int64_t each, longest;          /* numbers of a piece; of the longest share */
	int64_t *begin, *end;           /* of each share, what is exchanged now */
	size_t *from, *to;              /* bytes, where that is in x, or in room */
	char *room;                     /* pieces of all, where x is not here */
};

static struct exchange exchange_new(const struct params *p, void *x, size_t bytes)
{
	const size_t n = (size_t)team_size();
	struct exchange e = {.p = p, .x = x, .bytes = bytes, .here = !p->be->room, .each = PIECE / team_size() + 1};
	int r;

	for (r = 0; r < team_size(); r++) {
		const int64_t len = shares_begin(p->size, r + 1) - shares_begin(p->size, r);

		e.longest = len > e.longest ? len : e.longest;
	}
	e.each = e.each < e.longest ? e.each : e.longest;
	e.begin = xmalloc(2 * n * sizeof *e.begin);
	e.end = e.begin + n;
	e.from = xmalloc(2 * n * sizeof *e.from);
	e.to = e.from + n;
	e.room = e.here ? NULL : xmalloc(n * (size_t)e.each * bytes);
	return e;
}

static void exchange_free(struct exchange *e)
{
	free(e->begin);
	free(e->from);
	free(e->room);
}

/* Of every share the numbers from `at` on */
static void cut(struct exchange *e, int64_t at)
{
	int r;

	for (r = 0; r < team_size(); r++) {
		const int64_t first = shares_begin(e->p->size, r) + at, last = shares_begin(e->p->size, r + 1);

		e->begin[r] = first < last ? first : last;
		e->end[r] = first + e->each < last ? first + e->each : last;
		e->from[r] = (size_t)(e->here ? e->begin[r] : r * e->each) * e->bytes;
		e->to[r] = e->from[r] + (size_t)(e->end[r] - e->begin[r]) * e->bytes;
	}
}

/* Piece r between x and the host's memory */
static void carry(struct exchange *e, int r, bool up)
{
	struct backend *be = e->p->be;
	char *there = e->x + (size_t)e->begin[r] * e->bytes;

	if (!e->here && up)
		be->upload(be, there, e->room + e->from[r], e->to[r] - e->from[r]);
	else if (!e->here)
		be->download(be, e->room + e->from[r], there, e->to[r] - e->from[r]);
}

static void sum_by_hosts(struct params *p)
{
	struct exchange e = exchange_new(p, p->grad, sizeof *p->grad);
	const int rank = team_rank();
	float *theirs = xmalloc((size_t)(team_size() * e.each) * sizeof *theirs);
	int64_t at, i;
	int r;

	for (at = 0; at < e.longest; at += e.each) {
		char *all = e.here ? e.x : e.room;
		int64_t n;

		cut(&e, at);
		n = e.end[rank] - e.begin[rank];
		for (r = 0; r < team_size(); r++)
			carry(&e, r, false);
		team_all_to_all(theirs, all, e.from, e.to);
		for (r = 1; r < team_size(); r++)
			for (i = 0; i < n; i++)
				theirs[i] += theirs[r * n + i];
		memcpy(all + e.from[rank], theirs, (size_t)n * sizeof *theirs);
		carry(&e, rank, true);
	}
	free(theirs);
	exchange_free(&e);
}

static void spread_by_hosts(const struct params *p, void *x, size_t bytes)
{
	struct exchange e = exchange_new(p, x, bytes);
	int64_t at;
	int r;

	for (at = 0; at < e.longest; at += e.each) {
		cut(&e, at);
		carry(&e, team_rank(), false);
		team_all_gather(e.here ? e.x : e.room, e.from, e.to);
		for (r = 0; r < team_size(); r++)
			if (r != team_rank())
				carry(&e, r, true);
	}
	exchange_free(&e);
}

/* ---- */

static int64_t *begins(const struct params *p)
{
	int64_t *at = xmalloc((size_t)(team_size() + 1) * sizeof *at);
	int r;

	for (r = 0; r <= team_size(); r++)
		at[r] = shares_begin(p->size, r);
	return at;
}

void shares_sum(struct params *p)
{
	int64_t *at;

	if (team_size() == 1)
		return;
	if (!p->joined) {
		sum_by_hosts(p);
		return;
	}
	at = begins(p);
	p->be->team_sum(p->be, p->grad, at);
	free(at);
}

void shares_spread(const struct params *p, void *x, size_t bytes)
{
	int64_t *at;

	if (team_size() == 1)
		return;
	if (!p->joined) {
		spread_by_hosts(p, x, bytes);
		return;
	}
	at = begins(p);
	p->be->team_spread(p->be, x, bytes, at);
	free(at);
}

void shares_bring(const struct params *p, const void *x, size_t bytes, int64_t at, int64_t n, void *host)
{
	const int r = owner(p, at);

	if (r == team_rank())
		p->be->download(p->be, host, (const char *)x + (size_t)(at - p->own) * bytes, (size_t)n * bytes);
	team_bring(host, (size_t)n * bytes, r);
}
