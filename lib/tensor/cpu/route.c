/* route.c - mixtures of experts: who goes where, and the rows' way there and back */
#include <string.h>

#include "tensor/cpu/cpu.h"

struct route {
	struct cpu *cpu;
	const struct routing *r;
	const float *logits, *dweight, *old_score;
	float *weight, *score, *dlogits;
	int32_t *id;
	const int32_t *old_id;
};

/* The index of the largest of x[n] that is not taken, the first of equals; one is found whatever the numbers are. */
static int64_t best_left(const float *x, const unsigned char *taken, int64_t n)
{
	int64_t i, best = -1;

	for (i = 0; i < n; i++)
		if (!taken[i] && (best < 0 || x[i] > x[best]))
			best = i;
	return best;
}

/* The sum of the two largest of x[n], or the only one */
static float two_largest(const float *x, int64_t n)
{
	float first = x[0], second = n > 1 ? x[1] : 0;
	int64_t i;

	for (i = 1; i < n; i++)
		if (x[i] > first) {
			second = first;
			first = x[i];
		} else if (i > 1 && x[i] > second) {
			second = x[i];
		}
	return first + second;
}

/* c[E] of the experts in groups that are left out becomes 0; room for the groups' scores and marks behind. */
static void leave_groups(const struct routing *r, float *c, float *group, unsigned char *taken)
{
	const int64_t size = r->experts / r->groups;
	int64_t g, i;

	memset(taken, 0, (size_t)r->groups);
	for (g = 0; g < r->groups; g++)
		group[g] = two_largest(c + g * size, size);
	for (i = 0; i < r->top_groups; i++)
		taken[best_left(group, taken, r->groups)] = 1;
	for (g = 0; g < r->groups; g++)
		for (i = 0; !taken[g] && i < size; i++)
			c[g * size + i] = 0;
}

static void choose(const struct routing *r, const float *s, float *c, int32_t *id, float *weight, float *score, unsigned char *taken)
{
	int64_t i, n = 0;
	float sum = 0;

	memset(taken, 0, (size_t)r->experts);
	for (i = 0; i < r->top; i++)
		taken[best_left(c, taken, r->experts)] = 1;
	for (i = 0; i < r->experts; i++)
		if (taken[i]) {
			id[n] = (int32_t)i;
			score[n] = s[i];
			sum += s[i];
			n++;
		}
	sum += 1e-20f;
	for (i = 0; i < r->top; i++)
		weight[i] = (r->normalize ? score[i] / sum : score[i]) * r->scale;
}

static void route_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct route *t = arg;
	const struct routing *r = t->r;
	const int64_t E = r->experts, marks = (E + 3) / 4;
	float *s = cpu_scratch(&t->cpu->worker[worker], 3 * E + marks), *c = s + E, *group = c + E;
	unsigned char *taken = (unsigned char *)(group + E);
	int64_t i;

	for (; from < to; from++) {
		t->cpu->kern->sigmoid(s, t->logits + from * E, E);
		for (i = 0; i < E; i++)
			c[i] = s[i] + r->bias[i];
		if (r->top_groups < r->groups)
			leave_groups(r, c, group, taken);
		choose(r, s, c, t->id + from * r->top, t->weight + from * r->top, t->score + from * r->top, taken);
	}
}

static void cpu_route(struct backend *be, const struct routing *r, const float *logits, int32_t *id, float *weight, float *score, int64_t rows)
{
	pool_run(cpu_of(be)->pool, rows, cpu_grain((double)(r->experts * r->top)), route_rows,
		 &(struct route){.cpu = cpu_of(be), .r = r, .logits = logits, .id = id, .weight = weight, .score = score});
}

/* With w_k = scale s_k / D, D = sum s + 1e-20: ds_k = scale (dw_k / D - sum(dw s) / D^2); without it scale dw_k. Then ds s (1 - s). */
static void route_back_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct route *t = arg;
	const struct routing *r = t->r;
	int64_t k;

	(void)worker;
	for (; from < to; from++) {
		const float *dw = t->dweight + from * r->top, *s = t->old_score + from * r->top;
		const int32_t *id = t->old_id + from * r->top;
		float *d = t->dlogits + from * r->experts, sum = 0, dot = 0;

		memset(d, 0, (size_t)r->experts * sizeof *d);
		for (k = 0; k < r->top; k++) {
			sum += s[k];
			dot += dw[k] * s[k];
		}
		sum += 1e-20f;
		for (k = 0; k < r->top; k++)
			d[id[k]] = r->scale * (r->normalize ? (dw[k] - dot / sum) / sum : dw[k]) * (s[k] * (1 - s[k]));
	}
}

static void cpu_route_back(struct backend *be, const struct routing *r, const float *dweight, const int32_t *id, const float *score, float *dlogits,
			   int64_t rows)
{
	pool_run(cpu_of(be)->pool, rows, cpu_grain((double)r->experts + (double)r->top * 4), route_back_rows,
		 &(struct route){.cpu = cpu_of(be), .r = r, .dweight = dweight, .old_id = id, .old_score = score, .dlogits = dlogits});
}

struct moving {
	struct cpu *cpu;
	float *out, *out2;
	const float *in;
	const int32_t *place;
	const float *weight;
	float *dweight;
	int64_t top, cols, ld_to, ld;
	bool accumulate;
};

static void combine_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct moving *m = arg;

	(void)worker;
	m->cpu->kern->combine(m->out + from * m->cols, m->in, m->place + from * m->top, m->weight ? m->weight + from * m->top : NULL, to - from,
			      m->top, m->cols, m->accumulate);
}

static void cpu_combine(struct backend *be, float *out, const float *x, const int32_t *place, const float *weight, int64_t rows, int64_t top,
			int64_t cols, bool accumulate)
{
	pool_run(cpu_of(be)->pool, rows, cpu_grain((double)(cols * top) * 0.3), combine_rows,
		 &(struct moving){.cpu = cpu_of(be), .out = out, .in = x, .place = place, .weight = weight, .top = top, .cols = cols,
				  .accumulate = accumulate});
}

static void weigh_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct moving *m = arg;

	(void)worker;
	m->cpu->kern->weigh_back(m->dweight + from, m->out + from * m->cols, m->out2 + from * m->cols, m->weight + from, to - from, m->cols);
}

static void cpu_weigh_back(struct backend *be, float *dweight, float *d, float *x, const float *weight, int64_t rows, int64_t cols)
{
	pool_run(cpu_of(be)->pool, rows, cpu_grain((double)cols * 0.6), weigh_rows,
		 &(struct moving){.cpu = cpu_of(be), .dweight = dweight, .out = d, .out2 = x, .weight = weight, .cols = cols});
}

static void column_rows(void *arg, int64_t from, int64_t to, int worker)
{
	const struct moving *m = arg;

	(void)worker;
	for (; from < to; from++) {
		float *out = m->out + from * m->ld_to;
		const float *in = m->in + from * m->ld;

		if (m->accumulate)
			m->cpu->kern->add(out, out, in, m->cols);
		else
			memcpy(out, in, (size_t)m->cols * sizeof *out);
	}
}

void cpu_columns(struct backend *be, const struct columns *c)
{
	pool_run(cpu_of(be)->pool, c->rows, cpu_grain((double)c->cols * 0.3), column_rows,
		 &(struct moving){.cpu = cpu_of(be), .out = c->to, .in = c->from, .ld_to = c->ld_to, .ld = c->ld, .cols = c->cols, .accumulate = c->accumulate});
}

void cpu_route_ops(struct backend *be)
{
	be->route = cpu_route;
	be->route_back = cpu_route_back;
	be->combine = cpu_combine;
	be->weigh_back = cpu_weigh_back;
	be->columns = cpu_columns;
}
