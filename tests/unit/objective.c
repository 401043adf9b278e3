/* Models with a scalar head: losses by hand, gradients by differences, and that passes do not depend on what else is in them. */
#include "test.h"

#include "base/rng.h"
#include "task/objective.h"

enum { V = 29, N = 6, LONGEST = 12 };

static struct backend *be;

static struct model *make_model(enum model_use use)
{
	const char *text = "{\"architectures\": [\"Qwen2ForSequenceClassification\"], \"id2label\": {\"0\": \"score\"}, \"model_type\": \"qwen2\", "
			   "\"hidden_size\": 24, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, "
			   "\"intermediate_size\": 40, \"vocab_size\": 29, \"initializer_range\": 0.3, \"tie_word_embeddings\": false}";
	struct config c;
	struct model *m;
	struct err e;

	if (config_parse(&c, text, strlen(text), "config", &e) < 0 || !(m = model_new(&c, be, use, DTYPE_AUTO, &e)))
		TEST_FAIL("%s", e.msg);
	CHECK(c.scalar && !m->head && m->score);
	config_free(&c);
	model_init(m, 4);
	return m;
}

static int32_t token[N][LONGEST];
static float target[N][LONGEST];
static struct lesson x[N];

static void make_examples(bool every)
{
	struct rng r = rng_new(7, 1);
	int i, j;

	for (i = 0; i < N; i++) {
		const int64_t n = 4 + (int64_t)rng_below(&r, LONGEST - 4);

		for (j = 0; j < LONGEST; j++) {
			token[i][j] = (int32_t)rng_below(&r, V);
			target[i][j] = every ? (float)rng_double(&r) : (float)(i % 2);
		}
		x[i] = (struct lesson){{token[i], n, every ? 2 : n - 1, 1}, target[i]};
	}
}

static double loss_of(struct model *m, enum objective o, bool back, int64_t tokens, struct objective_sums *s)
{
	struct tape t = tape_new(be);
	int64_t scores = 0, i;

	for (i = 0; i < N; i++)
		scores += x[i].text.n - x[i].text.first;
	*s = (struct objective_sums){0};
	t.record = back;
	objective_pass(m, &t, o, x, N, tokens, (double)scores / (o == OBJECTIVE_PAIRWISE ? 2 : 1), s);
	tape_free(&t);
	return s->loss / (double)s->n;
}

/* What the formulas say of the scores themselves */
static double by_hand(struct model *m, enum objective o)
{
	struct tape t = tape_new(be);
	double sum = 0;
	int64_t n = 0, i, j;
	float r[N][LONGEST];

	for (i = 0; i < N; i++)
		score_all(m, &t, &x[i].text, 1, 1000, r[i]);
	for (i = 0; i < N; i++)
		for (j = 0; j < x[i].text.n - x[i].text.first; j++, n++) {
			const double p = 1 / (1 + exp(-(double)r[i][j]));

			if (o == OBJECTIVE_PAIRWISE)
				sum += i % 2 ? 0 : 2 * log(1 + exp((double)r[i + 1][0] - r[i][0]));
			else if (o == OBJECTIVE_POINTWISE)
				sum -= target[i][j] * log(p) + (1 - target[i][j]) * log(1 - p);
			else
				sum += pow(r[i][j] - target[i][j], 2) / 2;
		}
	tape_free(&t);
	return sum / (double)n;
}

static void gradient(enum objective o)
{
	struct model *m = make_model(MODEL_TRAIN);
	struct params *p = &m->params;
	struct objective_sums s;
	struct rng r = rng_new(3, 3);
	int i;

	make_examples(o == OBJECTIVE_VALUE);
	params_need_grad(p);
	be->zero(be, p->grad, (size_t)p->size * sizeof *p->grad);
	CHECK_NEAR(loss_of(m, o, true, 1000, &s), by_hand(m, o), 1e-6);
	CHECK_INT(s.n, o == OBJECTIVE_PAIRWISE ? N / 2 : o == OBJECTIVE_POINTWISE ? N : s.n);
	/* Along random directions */
	for (i = 0; i < 5; i++) {
		double along = 0, high, low, h = 1e-3;
		float *d = xmalloc((size_t)p->size * sizeof *d), *old = xmalloc((size_t)p->size * sizeof *old);
		int64_t k;

		memcpy(old, p->theta, (size_t)p->size * sizeof *old);
		for (k = 0; k < p->size; k++) {
			d[k] = (float)(rng_normal(&r) / sqrt((double)p->size));
			along += (double)d[k] * p->grad[k];
		}
		for (k = 0; k < p->size; k++)
			p->theta[k] = old[k] + (float)h * d[k] * 10;
		high = loss_of(m, o, false, 1000, &s);
		for (k = 0; k < p->size; k++)
			p->theta[k] = old[k] - (float)h * d[k] * 10;
		low = loss_of(m, o, false, 1000, &s);
		memcpy(p->theta, old, (size_t)p->size * sizeof *old);
		CHECK_NEAR((high - low) / (20 * h), along, 2e-3 * fabs(along) + 2e-4);
		free(d);
		free(old);
	}
	/* In small passes: the same but for rounding */
	{
		double whole = loss_of(m, o, false, 1000, &s), right = s.right, margin = s.margin;

		CHECK(loss_of(m, o, false, 1, &s) == whole);
		CHECK_NEAR(s.right, right, 0);
		CHECK_NEAR(s.margin, margin, 1e-12);
	}
	model_free(m);
}

int main(void)
{
	struct err e;

	be = backend_open("cpu", 1, &e);
	gradient(OBJECTIVE_PAIRWISE);
	gradient(OBJECTIVE_POINTWISE);
	gradient(OBJECTIVE_VALUE);
	backend_close(be);
	return 0;
}
