#include "model/replicas.h"

#include <stdlib.h>

#include "base/team.h"

int replicas_check(int64_t n, struct err *e)
{
	if (n && team_size() > 1 && n != team_size())
		return err_set(e, "--replicas %lld by %d processes: as many as there are, or by one alone", (long long)n, team_size());
	return 0;
}

struct replicas *replicas_new(struct params *p, int64_t n)
{
	struct replicas *r = xcalloc(1, sizeof *r);

	*r = (struct replicas){.n = n > 1 ? n : team_size(), .p = p};
	r->from = xcalloc((size_t)r->n + 1, sizeof *r->from);
	return r;
}

void replicas_free(struct replicas *r)
{
	if (!r)
		return;
	if (r->sum)
		r->p->be->free(r->p->be, r->sum);
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

static void gather(const struct replicas *r, void *x, const int64_t *offset, size_t bytes)
{
	size_t *cut;
	int64_t k;

	if (team_size() == 1)
		return;
	cut = xmalloc((size_t)(r->n + 1) * sizeof *cut);
	for (k = 0; k <= r->n; k++)
		cut[k] = (size_t)(offset ? offset[r->from[k]] : k) * bytes;
	team_all_gather(x, cut, cut + 1);
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
