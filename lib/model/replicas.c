#include "model/replicas.h"

#include <stdlib.h>
#include <string.h>

#include "base/team.h"
#include "base/tool.h"

#define PIECE ((int64_t)1 << 20)        /* floats of gradients that are exchanged at once */

int replicas_check(int64_t n, struct err *e)
{
	if (n && team_size() > 1 && n != team_size())
		return err_set(e, "--replicas %lld by %d processes: as many as there are, or by one alone", (long long)n, team_size());
	return 0;
}

/* Where they cannot, the same comes of it, if not as fast. */
static bool join_devices(struct backend *be)
{
	const struct backend_team t = {team_rank(), team_size(), team_broadcast, team_any};
	struct err e;

	if (team_size() == 1 || !be->join)
		return false;
	if (be->join(be, &t, &e) == 0) {
		tool_debug("%d devices speak by NCCL", t.size);
		return true;
	}
	tool_debug("gradients go by way of the hosts: %s", e.msg);
	return false;
}

struct replicas *replicas_new(struct params *p, int64_t n)
{
	struct replicas *r = xcalloc(1, sizeof *r);

	*r = (struct replicas){.n = n > 1 ? n : team_size(), .p = p, .joined = join_devices(p->be)};
	r->from = xcalloc((size_t)r->n + 1, sizeof *r->from);
	return r;
}

void replicas_free(struct replicas *r)
{
	if (!r)
		return;
	if (r->sum)
		r->p->be->free(r->p->be, r->sum);
	free(r->mine);
	free(r->theirs);
	free(r->from);
	free(r);
}

/* Part k ends with the example with which k+1 of n parts of all tokens are reached. */
void replicas_deal(struct replicas *r, const int64_t *tokens, int64_t count)
{
	double all = 0, so_far = 0;
	int64_t i, k = 0;

	for (i = 0; i < count; i++)
		all += (double)tokens[i];
	for (i = 0; i < count; i++) {
		so_far += (double)tokens[i];
		while (k + 1 < r->n && so_far * (double)r->n >= all * (double)(k + 1))
			r->from[++k] = i + 1;
	}
	while (k < r->n)
		r->from[++k] = count;
}

bool replicas_mine(int64_t k)
{
	return team_size() == 1 || team_rank() == k;
}

void replicas_turn(struct replicas *r, int64_t k)
{
	struct params *p = r->p;
	struct backend *be = p->be;
	const size_t bytes = (size_t)p->size * sizeof *p->grad;

	if (r->n == 1 || team_size() > 1)
		return;
	if (!r->sum)
		r->sum = be->alloc(be, bytes);
	if (k == 0)
		be->copy(be, r->sum, p->grad, bytes);
	else
		be->add(be, r->sum, r->sum, p->grad, p->size);
	if (k + 1 < r->n)
		be->zero(be, p->grad, bytes);
	else
		be->copy(be, p->grad, r->sum, bytes);
}

/* mine [n]: everybody's own become the sum of all, each process adding up a part of it. theirs: room for n + size */
static void sum_piece(float *mine, float *theirs, int64_t n, size_t *at)
{
	const int size = team_size(), rank = team_rank();
	int64_t len, i;
	int k;

	for (k = 0; k <= size; k++)
		at[k] = (size_t)(n * k / size) * sizeof *mine;
	len = (int64_t)((at[rank + 1] - at[rank]) / sizeof *mine);
	team_all_to_all(theirs, mine, at);
	for (k = 1; k < size; k++)
		for (i = 0; i < len; i++)
			theirs[i] += theirs[k * len + i];
	memcpy(mine + at[rank] / sizeof *mine, theirs, (size_t)len * sizeof *mine);
	team_all_gather(mine, at);
}

void replicas_sum(struct replicas *r)
{
	struct params *p = r->p;
	const int64_t most = p->size < PIECE ? p->size : PIECE;
	const bool here = !p->be->room;         /* gradients are in the memory of the host already */
	int64_t at, n;
	size_t *cut;

	if (r->joined)
		p->be->sum_team(p->be, p->grad, p->size);
	if (r->joined || team_size() == 1)
		return;
	if (!r->theirs) {
		r->theirs = xmalloc((size_t)(most + team_size()) * sizeof *r->theirs);
		r->mine = here ? NULL : xmalloc((size_t)most * sizeof *r->mine);
	}
	cut = xmalloc((size_t)(r->n + 1) * sizeof *cut);
	for (at = 0; at < p->size; at += n) {
		float *mine = here ? p->grad + at : r->mine;

		n = p->size - at < most ? p->size - at : most;
		if (!here)
			p->be->download(p->be, mine, p->grad + at, (size_t)n * sizeof *mine);
		sum_piece(mine, r->theirs, n, cut);
		if (!here)
			p->be->upload(p->be, p->grad + at, mine, (size_t)n * sizeof *mine);
	}
	free(cut);
}

static void gather(const struct replicas *r, void *x, const int64_t *offset, size_t bytes)
{
	size_t *cut;
	int64_t k;

	if (team_size() == 1)
		return;
	cut = xmalloc((size_t)(r->n + 1) * sizeof *cut);
	for (k = 0; k <= r->n; k++)
		cut[k] = (size_t)(offset ? offset[r->from[k]] : k) * bytes;
	team_all_gather(x, cut);
	free(cut);
}

void replicas_share(const struct replicas *r, void *x, size_t bytes)
{
	gather(r, x, NULL, bytes);
}

void replicas_gather(const struct replicas *r, float *x, const int64_t *offset)
{
	gather(r, x, offset, sizeof *x);
}
