/* Every op's backward against finite differences of its forward, along random directions of every input. */
#include "backend_util.h"

#include "tensor/ops.h"

#define SEQS 3

static const int32_t lengths[SEQS] = {5, 1, 11};
enum { N = 17, C = 12, K = 20, V = 23, H = 4, G = 2, D = 6, F = 10, QKV = (H + 2 * G) * D };
enum { R = 8, Dn = 4, Dv = 7, E = 5, TOP = 2 };         /* latent attention, whose rotated part is D wide; experts */

struct setup {
	struct backend *be;
	struct tape t;
	struct rng rng;
	float *cos_sin;
	int32_t position[N], id[N], row[9];
	struct seq seq[SEQS];
};

static struct tensor *param(struct setup *s, int64_t rows, int64_t cols)
{
	struct tensor *x = xcalloc(1, sizeof *x);
	int64_t i, n = rows * cols;
	float *host = xmalloc((size_t)n * sizeof *host);

	*x = (struct tensor){.rows = rows, .cols = cols, .is_param = true};
	x->data = s->be->alloc(s->be, (size_t)n * sizeof(float));
	x->grad = s->be->alloc(s->be, (size_t)n * sizeof(float));
	for (i = 0; i < n; i++)
		host[i] = (float)(0.7 * rng_normal(&s->rng));
	s->be->upload(s->be, x->data, host, (size_t)n * sizeof *host);
	s->be->zero(s->be, x->grad, (size_t)n * sizeof(float));
	free(host);
	return x;
}

static void free_params(struct setup *s, struct tensor **in, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		s->be->free(s->be, in[i]->data);
		s->be->free(s->be, in[i]->grad);
		free(in[i]);
	}
}

/* The functions under test: from its inputs (all parameters, so that their gradients stay) to an output. */
typedef struct tensor *(*function)(struct setup *s, struct tensor **in);

static struct tensor *f_embedding(struct setup *s, struct tensor **in)
{
	return op_embedding(&s->t, in[0], tape_upload(&s->t, s->id, N), N);
}

static struct tensor *f_rows(struct setup *s, struct tensor **in)
{
	return op_rows(&s->t, in[0], tape_upload(&s->t, s->row, 9), 9);
}

static struct tensor *f_rmsnorm(struct setup *s, struct tensor **in)
{
	return op_rmsnorm(&s->t, in[0], in[1], 1e-6f);
}

static struct tensor *f_linear(struct setup *s, struct tensor **in)
{
	return op_linear(&s->t, in[0], in[1], in[2]);
}

/* Two adapted parts of w's three: A of both, B of the first part, B of the last */
static void adapt(struct setup *s, struct tensor *w, struct tensor *a, struct tensor *first, struct tensor *last)
{
	struct lora_part part[2] = {{first, 0}, {last, w->rows - last->rows}};
	struct lora *l = arena_alloc(&s->t.host, sizeof *l);

	*l = (struct lora){.rank = first->cols, .parts = 2, .scale = 0.7f, .a = a};
	l->part = memcpy(arena_alloc(&s->t.host, sizeof part), part, sizeof part);
	w->lora = l;
}

static struct tensor *f_lora(struct setup *s, struct tensor **in)
{
	adapt(s, in[1], in[2], in[3], in[4]);
	return op_swiglu(&s->t, op_linear(&s->t, in[0], in[1], NULL));
}

/* to + x w^T, where x and what comes behind are made of `to` as well, so that its gradient comes in parts */
static struct tensor *linear_add(struct setup *s, struct tensor *x, struct tensor *to, struct tensor *w, struct tensor *bias, struct tensor *other)
{
	struct tensor *before = op_linear(&s->t, to, other, NULL), *out = op_linear_add(&s->t, to, op_add(&s->t, x, before), w, bias);

	return op_add(&s->t, out, op_linear(&s->t, to, other, NULL));
}

/* To an activation, then to a parameter */
static struct tensor *f_linear_add(struct setup *s, struct tensor **in)
{
	struct tensor *to = op_linear(&s->t, in[1], in[3], NULL), *out = linear_add(s, in[0], to, in[2], NULL, in[3]);

	return linear_add(s, out, in[1], in[2], NULL, in[3]);
}

/* The residual stream of a model: `to` has been read by what is added, and by nothing else. */
static struct tensor *f_linear_add_alone(struct setup *s, struct tensor **in)
{
	struct tensor *to = op_add(&s->t, in[0], in[1]);

	to = op_linear_add(&s->t, to, op_rmsnorm(&s->t, to, in[3], 1e-6f), in[2], NULL);
	return op_linear_add(&s->t, to, op_rmsnorm(&s->t, to, in[3], 1e-6f), in[2], NULL);
}

static struct tensor *f_linear_add_bias(struct setup *s, struct tensor **in)
{
	struct tensor *to = op_linear(&s->t, in[1], in[3], NULL);

	return linear_add(s, in[0], to, in[2], in[4], in[3]);
}

static struct tensor *f_linear_add_lora(struct setup *s, struct tensor **in)
{
	struct tensor *to = op_linear(&s->t, in[1], in[3], NULL);

	adapt(s, in[2], in[4], in[5], in[6]);
	return linear_add(s, in[0], to, in[2], NULL, in[3]);
}

static struct tensor *f_add(struct setup *s, struct tensor **in)
{
	struct tensor *a = op_add(&s->t, in[0], in[1]);

	return op_add(&s->t, a, op_linear(&s->t, a, in[2], NULL));      /* a residual: a is used twice */
}

static struct tensor *f_swiglu(struct setup *s, struct tensor **in)
{
	return op_swiglu(&s->t, op_linear(&s->t, in[0], in[1], NULL));
}

static struct tensor *f_rmsnorm_heads(struct setup *s, struct tensor **in)
{
	struct tensor *x = op_linear(&s->t, in[0], in[1], NULL);

	return op_rmsnorm_heads(&s->t, x, in[2], in[3], 1e-6f, H, G, D);
}

static struct tensor *f_attention(struct setup *s, struct tensor **in)
{
	struct sequences q = {.seq = s->seq, .seqs = SEQS};
	struct tensor *x = op_linear(&s->t, in[0], in[1], in[2]);

	x = op_rope(&s->t, x, tape_upload(&s->t, s->position, N), s->cos_sin, H + G, D);
	return op_attention(&s->t, x, &q, 0, H, G, D, 0.4f);
}

static const struct latent_shape latent_shape = {.heads = H, .rank = R, .nope = Dn, .rope = D, .value = Dv, .interleaved = true};

static struct tensor *f_latent_keys(struct setup *s, struct tensor **in)
{
	return op_latent_keys(&s->t, op_linear(&s->t, in[0], in[1], NULL), in[2], 1e-6f, tape_upload(&s->t, s->position, N), s->cos_sin, &latent_shape);
}

/* x, the matrices of q and of what keys are made of, the norm's weight, kv_b */
static struct tensor *f_latent(struct setup *s, struct tensor **in)
{
	struct sequences seqs = {.seq = s->seq, .seqs = SEQS};
	const int32_t *position = tape_upload(&s->t, s->position, N);
	struct tensor *q = op_latent_queries(&s->t, op_linear(&s->t, in[0], in[1], NULL), in[4], position, s->cos_sin, &latent_shape);
	struct tensor *keys = op_latent_keys(&s->t, op_linear(&s->t, in[0], in[2], NULL), in[3], 1e-6f, position, s->cos_sin, &latent_shape);

	return op_latent_values(&s->t, op_latent(&s->t, q, keys, &seqs, 0, &latent_shape, 0.3f), in[4], &latent_shape);
}

/* The bias settles the choice, which has no slope. */
static struct tensor *f_route(struct setup *s, struct tensor **in)
{
	static const float choice[E] = {0, 5, 9, 2, 7};
	float *bias = tape_memory(&s->t, sizeof choice);
	int32_t *id;

	s->be->upload(s->be, bias, choice, sizeof choice);
	return op_route(&s->t, op_linear(&s->t, in[0], in[1], NULL), &(struct routing){.experts = E, .groups = 1, .top_groups = 1, .top = TOP + 1, .normalize = true, .scale = 2.5f,
							.bias = bias}, &id);
}

/* x, the matrix of the weights, and the experts' matrices; x is used thrice. */
static struct tensor *f_experts(struct setup *s, struct tensor **in)
{
	struct expert *expert = arena_alloc(&s->t.host, E * sizeof *expert);
	int32_t id[N * TOP];
	int i;

	for (i = 0; i < N; i++) {
		id[i * TOP] = s->id[i] % (E - 1);
		id[i * TOP + 1] = E - 1 - (s->id[i] + i) % (E - 1 - id[i * TOP]);
	}
	for (i = 0; i < E; i++)
		expert[i] = (struct expert){in[2 + 2 * i], in[3 + 2 * i]};
	return op_add(&s->t, op_experts(&s->t, in[0], op_linear(&s->t, in[0], in[1], NULL), tape_upload(&s->t, id, N * TOP), expert, E),
		      op_linear(&s->t, in[0], in[2 + 2 * E], NULL));
}

/* sum of coefficient_i * out_i: through a linear to one column and a logprob-free reduction is not an op, so the seed is set by hand. */
static double forward(struct setup *s, function f, struct tensor **in, const float *coefficient, bool backward)
{
	struct tensor *out;
	double sum = 0;
	int64_t i, n;
	float *host;
	bool accumulate;

	s->t.record = backward;
	out = f(s, in);
	n = out->rows * out->cols;
	host = xmalloc((size_t)n * sizeof *host);
	s->be->download(s->be, host, out->data, (size_t)n * sizeof *host);
	for (i = 0; i < n; i++)
		sum += (double)coefficient[i] * host[i];
	if (backward) {
		float *d = tape_grad(&s->t, out, &accumulate);

		CHECK(!accumulate);
		s->be->upload(s->be, d, coefficient, (size_t)n * sizeof *d);
		tape_backward(&s->t);
	}
	tape_reset(&s->t);
	free(host);
	return sum;
}

static void nudge(struct setup *s, struct tensor *x, const float *base, const float *direction, double by)
{
	int64_t i, n = x->rows * x->cols;
	float *moved = xmalloc((size_t)n * sizeof *moved);

	for (i = 0; i < n; i++)
		moved[i] = (float)(base[i] + by * direction[i]);
	s->be->upload(s->be, x->data, moved, (size_t)n * sizeof *moved);
	free(moved);
}

static void check(struct setup *s, const char *name, function f, struct tensor **in, int inputs)
{
	float coefficient[N * QKV];
	int i, trial;

	for (i = 0; i < N * QKV; i++)
		coefficient[i] = (float)rng_normal(&s->rng);
	forward(s, f, in, coefficient, true);
	for (i = 0; i < inputs; i++) {
		int64_t n = in[i]->rows * in[i]->cols, j;
		float *base = xmalloc((size_t)n * sizeof *base), *grad = xmalloc((size_t)n * sizeof *grad);
		float *direction = xmalloc((size_t)n * sizeof *direction);

		s->be->download(s->be, base, in[i]->data, (size_t)n * sizeof *base);
		s->be->download(s->be, grad, in[i]->grad, (size_t)n * sizeof *grad);
		for (trial = 0; trial < 4; trial++) {
			const double h = 4e-3;
			double want = 0, got, up, down, size = 0;

			for (j = 0; j < n; j++) {
				direction[j] = (float)rng_normal(&s->rng);
				size += (double)grad[j] * grad[j];
				want += (double)grad[j] * direction[j];
			}
			nudge(s, in[i], base, direction, h);
			up = forward(s, f, in, coefficient, false);
			nudge(s, in[i], base, direction, -h);
			down = forward(s, f, in, coefficient, false);
			got = (up - down) / (2 * h);
			if (!(fabs(got - want) <= 3e-3 * (1 + sqrt(size))))
				TEST_FAIL("%s: input %d: the slope is %g, the gradient says %g", name, i, got, want);
			CHECK(size > 0);
		}
		nudge(s, in[i], base, direction, 0);
		free(base);
		free(grad);
		free(direction);
	}
	free_params(s, in, inputs);
}

/* logprob: its seed is the gradient with respect to logprobs and entropies. */
static double logprob_sum(struct setup *s, struct tensor **in, const float *a, const float *b, bool backward)
{
	struct logprobs l;
	float logprob[N], entropy[N];
	double sum = 0;
	int i;

	s->t.record = backward;
	l = op_logprob(&s->t, in[0], in[1], tape_upload(&s->t, s->id, N), 0.8f, true);
	s->be->download(s->be, logprob, l.logprob, sizeof logprob);
	s->be->download(s->be, entropy, l.entropy, sizeof entropy);
	for (i = 0; i < N; i++)
		sum += (double)a[i] * logprob[i] + (double)b[i] * entropy[i];
	if (backward) {
		op_logprob_seed(&s->t, &l, a, b);
		tape_backward(&s->t);
	}
	tape_reset(&s->t);
	return sum;
}

static void check_logprob(struct setup *s)
{
	struct tensor *in[2] = {param(s, N, C), param(s, V, C)};
	float a[N], b[N];
	int i;

	for (i = 0; i < N; i++) {
		a[i] = (float)rng_normal(&s->rng);
		b[i] = (float)rng_normal(&s->rng);
	}
	logprob_sum(s, in, a, b, true);
	for (i = 0; i < 2; i++) {
		int64_t n = in[i]->rows * in[i]->cols, j;
		float base[V * C], grad[V * C], direction[V * C];
		double want = 0, got, size = 0;

		s->be->download(s->be, base, in[i]->data, (size_t)n * sizeof *base);
		s->be->download(s->be, grad, in[i]->grad, (size_t)n * sizeof *grad);
		for (j = 0; j < n; j++) {
			direction[j] = (float)rng_normal(&s->rng);
			want += (double)grad[j] * direction[j];
			size += (double)grad[j] * grad[j];
		}
		nudge(s, in[i], base, direction, 4e-3);
		got = logprob_sum(s, in, a, b, false);
		nudge(s, in[i], base, direction, -4e-3);
		got = (got - logprob_sum(s, in, a, b, false)) / 8e-3;
		nudge(s, in[i], base, direction, 0);
		CHECK_NEAR(got, want, 3e-3 * (1 + sqrt(size)));
	}
	free_params(s, in, 2);
}

static void prepare(struct setup *s, struct backend *be)
{
	float table[32 * D];
	int i, j, r = 0;

	*s = (struct setup){.be = be, .t = tape_new(be), .rng = rng_new(7, 0)};
	for (i = 0; i < SEQS; i++) {
		s->seq[i] = (struct seq){.row = r, .n = lengths[i]};
		for (j = 0; j < lengths[i]; j++)
			s->position[r++] = j;
	}
	for (i = 0; i < N; i++)
		s->id[i] = (int32_t)rng_below(&s->rng, V);
	for (i = 0; i < 9; i++)
		s->row[i] = (int32_t)rng_below(&s->rng, N);
	for (i = 0; i < 32; i++)
		for (j = 0; j < D / 2; j++) {
			table[i * D + j] = (float)cos(i * pow(50, -2.0 * j / D));
			table[i * D + D / 2 + j] = (float)sin(i * pow(50, -2.0 * j / D));
		}
	s->cos_sin = be->alloc(be, sizeof table);
	be->upload(be, s->cos_sin, table, sizeof table);
}

int main(void)
{
	struct backend *be = other_backend() ? open_other() : backend_cpu_new(2);
	struct setup s;

	prepare(&s, be);
	check(&s, "embedding", f_embedding, (struct tensor *[]){param(&s, V, C)}, 1);
	check(&s, "rows", f_rows, (struct tensor *[]){param(&s, N, C)}, 1);
	check(&s, "rmsnorm", f_rmsnorm, (struct tensor *[]){param(&s, N, C), param(&s, 1, C)}, 2);
	check(&s, "rmsnorm_heads", f_rmsnorm_heads, (struct tensor *[]){param(&s, N, C), param(&s, QKV, C), param(&s, 1, D), param(&s, 1, D)}, 4);
	check(&s, "lora", f_lora, (struct tensor *[]){param(&s, N, C), param(&s, 12, C), param(&s, 6, C), param(&s, 5, 3), param(&s, 4, 3)}, 5);
	check(&s, "linear", f_linear, (struct tensor *[]){param(&s, N, C), param(&s, K, C), param(&s, 1, K)}, 3);
	check(&s, "linear_add", f_linear_add, (struct tensor *[]){param(&s, N, C), param(&s, N, C), param(&s, C, C), param(&s, C, C)}, 4);
	check(&s, "linear_add, alone", f_linear_add_alone, (struct tensor *[]){param(&s, N, C), param(&s, N, C), param(&s, C, C), param(&s, 1, C)}, 4);
	check(&s, "linear_add, bias", f_linear_add_bias, (struct tensor *[]){
		param(&s, N, C), param(&s, N, C), param(&s, C, C), param(&s, C, C), param(&s, 1, C)}, 5);
	check(&s, "linear_add, lora", f_linear_add_lora, (struct tensor *[]){
		param(&s, N, C), param(&s, N, C), param(&s, C, C), param(&s, C, C), param(&s, 6, C), param(&s, 5, 3), param(&s, 4, 3)}, 7);
	check(&s, "add", f_add, (struct tensor *[]){param(&s, N, C), param(&s, N, C), param(&s, C, C)}, 3);
	check(&s, "swiglu", f_swiglu, (struct tensor *[]){param(&s, N, C), param(&s, 2 * F, C)}, 2);
	check(&s, "attention", f_attention, (struct tensor *[]){param(&s, N, C), param(&s, QKV, C), param(&s, 1, QKV)}, 3);
	check(&s, "latent_keys", f_latent_keys, (struct tensor *[]){param(&s, N, C), param(&s, R + D, C), param(&s, 1, R)}, 3);
	check(&s, "latent", f_latent, (struct tensor *[]){
		param(&s, N, C), param(&s, H * (Dn + D), C), param(&s, R + D, C), param(&s, 1, R), param(&s, H * (Dn + Dv), R)}, 5);
	check(&s, "route", f_route, (struct tensor *[]){param(&s, N, C), param(&s, E, C)}, 2);
	check(&s, "experts", f_experts, (struct tensor *[]){
		param(&s, N, C), param(&s, TOP, C), param(&s, 2 * F, C), param(&s, C, F), param(&s, 2 * F, C), param(&s, C, F), param(&s, 2 * F, C),
		param(&s, C, F), param(&s, 2 * F, C), param(&s, C, F), param(&s, 2 * F, C), param(&s, C, F), param(&s, C, C)}, 13);
	check_logprob(&s);
	be->free(be, s.cos_sin);
	tape_free(&s.t);
	backend_close(be);
	return 0;
}
