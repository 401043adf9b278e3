/* AdamW against the formula in double, gradient clipping, and moments that go to disk and back. */
#include "test.h"

#include "base/rng.h"
#include "model/checkpoint.h"
#include "model/optimizer.h"

static struct backend *be;

static struct model *make_model(void)
{
	const char *text = "{\"model_type\": \"qwen2\", \"hidden_size\": 24, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, "
			   "\"num_key_value_heads\": 2, \"intermediate_size\": 36, \"vocab_size\": 31, \"max_position_embeddings\": 128, "
			   "\"initializer_range\": 0.3, \"tie_word_embeddings\": false}";
	struct config c;
	struct model *m;
	struct err e;

	if (config_parse(&c, text, strlen(text), "config", &e) < 0 || !(m = model_new(&c, be, MODEL_TRAIN, DTYPE_AUTO, &e)))
		TEST_FAIL("%s", e.msg);
	config_free(&c);
	model_init(m, 5);
	return m;
}

/* Gradients of very different sizes; some are 0. Gaps between parts stay 0. */
static void fill(struct model *m, struct rng *rng, double size)
{
	size_t i;
	int64_t k;

	for (i = 0; i < m->params.parts; i++)
		for (k = 0; k < part_count(&m->params.part[i]); k++)
			m->params.grad[m->params.part[i].offset + k] = k % 7 == 3 ? 0 : (float)(size * pow(10, -(double)(k % 5)) * ((double)rng_below(rng, 2001) / 1000 - 1));
}

/* Loshchilov and Hutter 2019, algorithm 2, with the norm of the whole gradient clipped first. */
static void against_double(double size, double clip)
{
	struct optimizer_args a = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1, .clip = clip};
	struct model *m = make_model();
	struct optimizer *o = optimizer_new(m, &a);
	struct rng rng = rng_new(1, 1);
	size_t n = (size_t)m->params.size, i;
	double *w = xcalloc(n, sizeof *w), *m1 = xcalloc(n, sizeof *m1), *m2 = xcalloc(n, sizeof *m2);
	int64_t k;
	int step;

	for (i = 0; i < n; i++)
		w[i] = m->params.theta[i];
	for (step = 1; step <= 6; step++) {
		double lr = 0.01 / step, norm = 0, scale;

		fill(m, &rng, size);
		for (i = 0; i < n; i++)
			norm += (double)m->params.grad[i] * m->params.grad[i];
		norm = sqrt(norm);
		scale = clip > 0 && norm > clip ? clip / norm : 1;
		CHECK(clip == 0 || (norm > clip) == (size > 0.1));      /* both kinds are tried */
		for (i = 0; i < m->params.parts; i++)
			for (k = m->params.part[i].offset; k < m->params.part[i].offset + part_count(&m->params.part[i]); k++) {
				double g = scale * m->params.grad[k];

				m1[k] = a.beta1 * m1[k] + (1 - a.beta1) * g;
				m2[k] = a.beta2 * m2[k] + (1 - a.beta2) * g * g;
				w[k] -= lr * (m1[k] / (1 - pow(a.beta1, step)) / (sqrt(m2[k] / (1 - pow(a.beta2, step))) + a.eps) +
					      (m->params.part[i].decay ? a.weight_decay * w[k] : 0));
			}
		CHECK_NEAR(optimizer_step(o, lr) / norm, 1, 1e-12);
		CHECK_INT(o->step, step);
		for (i = 0; i < n; i++) {
			CHECK(m->params.grad[i] == 0);
			CHECK_NEAR(m->params.theta[i], w[i], 1e-6);
			CHECK_NEAR(o->exp_avg[i], m1[i], 1e-6 * fabs(m1[i]) + 1e-7 * size * scale);
			CHECK_NEAR(o->exp_avg_sq[i], m2[i], 1e-5 * m2[i]);
		}
	}
	optimizer_free(o);
	model_free(m);
	free(w);
	free(m1);
	free(m2);
}

/* Matrices decay, norms and biases do not: with a gradient of 0 and no moments, only decay moves a weight. */
static void decay(void)
{
	struct optimizer_args a = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.5};
	struct model *m = make_model();
	struct optimizer *o = optimizer_new(m, &a);
	int matrices = 0, vectors = 0;
	size_t i;
	int64_t k;

	for (i = 0; i < (size_t)m->params.size; i++)
		m->params.theta[i] = 1;
	CHECK(optimizer_step(o, 0.1) == 0);
	for (i = 0; i < m->params.parts; i++) {
		CHECK_INT(m->params.part[i].decay, m->params.part[i].ndim == 2);
		matrices += m->params.part[i].decay;
		vectors += !m->params.part[i].decay;
		for (k = 0; k < part_count(&m->params.part[i]); k++)
			CHECK_NEAR(m->params.theta[m->params.part[i].offset + k], m->params.part[i].decay ? 0.95 : 1, 1e-7);
	}
	CHECK(matrices > 10 && vectors > 10);
	optimizer_free(o);
	model_free(m);
}

/* Three steps in one go, and two, to disk, back, and the third. */
static void to_disk(void)
{
	struct optimizer_args a = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1, .clip = 1};
	struct model *m = make_model(), *again;
	struct optimizer *o = optimizer_new(m, &a), *p;
	struct rng rng = rng_new(1, 1), third;
	struct checkpoint_writer *w;
	struct checkpoint *ck;
	struct err e;
	char path[5000];

	snprintf(path, sizeof path, "%s/checkpoint", test_scratch());
	fill(m, &rng, 1);
	optimizer_step(o, 0.01);
	fill(m, &rng, 1);
	optimizer_step(o, 0.01);
	w = checkpoint_begin(path, &e);
	if (!w || checkpoint_add_config(w, &m->config, &e) < 0 || model_save(m, w, MODEL_WEIGHTS, &e) < 0 || optimizer_save(o, w, &e) < 0 ||
	    checkpoint_commit(w, &e) < 0)
		TEST_FAIL("%s", e.msg);
	third = rng;
	fill(m, &rng, 1);
	optimizer_step(o, 0.01);

	ck = checkpoint_open(path, &e);
	if (!ck || !(again = model_from_checkpoint(ck, be, MODEL_TRAIN, DTYPE_AUTO, &e)))
		TEST_FAIL("%s", e.msg);
	p = optimizer_new(again, &a);
	CHECK_INT(optimizer_load(p, ck, &e), 1);
	CHECK_INT(p->step, 2);
	fill(again, &third, 1);
	optimizer_step(p, 0.01);
	CHECK_MEM(again->params.theta, (size_t)m->params.size * sizeof(float), m->params.theta, (size_t)m->params.size * sizeof(float));
	CHECK_MEM(p->exp_avg, (size_t)m->params.size * sizeof(float), o->exp_avg, (size_t)m->params.size * sizeof(float));
	CHECK_MEM(p->exp_avg_sq, (size_t)m->params.size * sizeof(float), o->exp_avg_sq, (size_t)m->params.size * sizeof(float));
	optimizer_free(o);
	optimizer_free(p);
	model_free(m);
	model_free(again);
	checkpoint_close(ck);
}

int main(void)
{
	be = backend_cpu_new(1);
	against_double(1, 1);
	against_double(0.001, 1);
	against_double(1, 0);
	decay();
	to_disk();
	backend_close(be);
	return 0;
}
