/* AdamW against the formula in double, gradient clipping, and moments that go to disk and back. */
#include "test.h"

#include "base/rng.h"
#include "model/checkpoint.h"
#include "model/optimizer.h"

static struct backend *be;

static struct model *make_any_model(const char *dtype, bool scalar)
{
	const char *text = "{\"model_type\": \"qwen2\", \"hidden_size\": 24, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, "
			   "\"num_key_value_heads\": 2, \"intermediate_size\": 36, \"vocab_size\": 31, \"max_position_embeddings\": 128, "
			   "\"initializer_range\": 0.3, \"tie_word_embeddings\": false}";
	struct config c;
	struct model *m;
	struct err e;

	if (config_parse(&c, text, strlen(text), "config", &e) < 0)
		TEST_FAIL("%s", e.msg);
	strcpy(c.dtype, dtype);
	if (scalar)
		config_make_scalar(&c);
	if (!(m = model_new(&c, be, MODEL_TRAIN, DTYPE_AUTO, &e)))
		TEST_FAIL("%s", e.msg);
	config_free(&c);
	model_init(m, 5);
	return m;
}

static struct model *make_model(const char *dtype)
{
	return make_any_model(dtype, false);
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
	struct model *m = make_model("float32");
	struct optimizer *o = optimizer_new(&m->params, &a);
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
			CHECK_NEAR(((float *)o->exp_avg)[i], m1[i], 1e-6 * fabs(m1[i]) + 1e-7 * size * scale);
			CHECK_NEAR(((float *)o->exp_avg_sq)[i], m2[i], 1e-5 * m2[i]);
		}
	}
	optimizer_free(o);
	model_free(m);
	free(w);
	free(m1);
	free(m2);
}

/* Matrices decay, those of one row too (a scalar head); norms and biases do not: with a gradient of 0 and no moments, only decay moves a weight. */
static void decay(bool scalar)
{
	struct optimizer_args a = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.5};
	struct model *m = make_any_model("float32", scalar);
	struct optimizer *o = optimizer_new(&m->params, &a);
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

/* The optimizer's own number of weight i, in whatever it is kept */
static float number(const struct params *p, int64_t i)
{
	uint32_t bits;
	float x;

	if (!p->half)
		return p->master ? p->master[i] : p->theta[i];
	bits = ((uint32_t)p->half[i] << 16) + (uint32_t)(int32_t)(int16_t)p->low[i];
	memcpy(&x, &bits, sizeof x);
	return x;
}

/* What the model is computed with */
static float computed(const struct params *p, int64_t i)
{
	uint32_t bits;
	float x;

	if (!p->half)
		return p->theta[i];
	bits = (uint32_t)p->half[i] << 16;
	memcpy(&x, &bits, sizeof x);
	return x;
}

/* Steps far too small for 16 bits add up to the very numbers that float32 weights come to; what is computed with is the nearest to them. */
static void fine_steps(const char *dtype)
{
	struct optimizer_args a = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1, .clip = 1};
	struct model *m = make_model(dtype), *plain = make_model("float32");
	struct optimizer *o = optimizer_new(&m->params, &a), *p = optimizer_new(&plain->params, &a);
	struct rng rng = rng_new(1, 1), other = rng;
	int64_t i, moved = 0;
	int step, last = !strcmp(dtype, "bfloat16") ? 7 : 10;

	for (step = 0; step < 50; step++) {
		fill(m, &rng, 1);
		fill(plain, &other, 1);
		optimizer_step(o, 1e-5);
		optimizer_step(p, 1e-5);
	}
	for (i = 0; i < m->params.size; i++) {
		float x = number(&m->params, i), c = computed(&m->params, i);
		int exponent;

		CHECK_MEM(&x, sizeof x, &plain->params.theta[i], sizeof x);
		frexp((double)x, &exponent);
		if (exponent < -13 && last == 10)
			exponent = -13;         /* float16's places end there */
		CHECK(fabs((double)c - x) <= ldexp(0.5, exponent - 1 - last));
		moved += c != x;
	}
	for (i = 0; i < (int64_t)m->params.tensors; i++) {       /* vectors are read as float32 */
		const struct tensor *x = m->params.tensor[i];
		const float *data = x->data;
		int64_t k;

		for (k = 0; data && k < x->cols; k++)
			CHECK(data[k] == computed(&m->params, m->params.tensor_offset[i] + k));
	}
	CHECK(moved > m->params.count / 2);
	optimizer_free(o);
	optimizer_free(p);
	model_free(m);
	model_free(plain);
}

/* Moments of 16 bits: each of the two neighbours of the float32 number, as the draw for that step and parameter says, and right in the mean. */
static void half_moments(void)
{
	struct optimizer_args a = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .half_moments = true, .seed = 77};
	struct model *m = make_model("bfloat16");
	struct optimizer *o = optimizer_new(&m->params, &a);
	const uint16_t *half = o->exp_avg, *square = o->exp_avg_sq;
	int64_t n = m->params.size, i, count = 0;
	float g = 0.3f, first = (1 - 0.9f) * g, second = (1 - 0.99f) * (g * g);
	double sum = 0, squares = 0;

	for (i = 0; i < (int64_t)m->params.parts; i++) {
		int64_t k;

		for (k = 0; k < part_count(&m->params.part[i]); k++)
			m->params.grad[m->params.part[i].offset + k] = g;
	}
	optimizer_step(o, 0);
	for (i = 0; i < n; i++) {
		const uint32_t counter[4] = {(uint32_t)(i / 4), 0, 1, 0}, key[2] = {77, 0};
		uint32_t draw[4], bits, want;
		float x;

		if (!half[i])
			continue;               /* a gap between tensors */
		rng_philox(counter, key, draw);
		memcpy(&bits, &first, sizeof bits);
		CHECK_INT(half[i], (bits + (draw[i % 4] & 0xffff)) >> 16);
		memcpy(&bits, &second, sizeof bits);
		CHECK_INT(square[i], (bits + (draw[i % 4] >> 16)) >> 16);
		want = (uint32_t)half[i] << 16;
		memcpy(&x, &want, sizeof x);
		sum += (double)x;
		want = (uint32_t)square[i] << 16;
		memcpy(&x, &want, sizeof x);
		squares += (double)x;
		count++;
	}
	CHECK(count > 5000);
	CHECK_NEAR(sum / (double)count / first, 1, 2e-4);       /* a place of bfloat16 is 4e-3 to 8e-3 of a number */
	CHECK_NEAR(squares / (double)count / second, 1, 2e-4);
	optimizer_free(o);
	model_free(m);
}

/* Three steps in one go, and two, to disk, back, and the third. */
static void to_disk(const char *dtype, bool half)
{
	struct optimizer_args a = {.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1, .clip = 1, .half_moments = half, .seed = 3};
	struct model *m = make_model(dtype), *again;
	struct optimizer *o = optimizer_new(&m->params, &a), *p;
	struct rng rng = rng_new(1, 1), third;
	struct checkpoint_writer *w;
	struct checkpoint *ck;
	struct err e;
	char path[5000];
	size_t bytes = (size_t)m->params.size * st_dtype_size(o->dtype);
	int64_t i;

	CHECK_INT(st_dtype_size(o->dtype), half ? 2 : 4);
	snprintf(path, sizeof path, "%s/checkpoint-%s-%d", test_scratch(), dtype, half);
	fill(m, &rng, 1);
	optimizer_step(o, 1e-4);
	fill(m, &rng, 1);
	optimizer_step(o, 1e-4);
	w = checkpoint_begin(path, &e);
	if (!w || checkpoint_add_config(w, &m->config, &e) < 0 || model_save(m, w, MODEL_WEIGHTS, 0, &e) < 0 || optimizer_save(o, w, &e) < 0 ||
	    checkpoint_commit(w, &e) < 0)
		TEST_FAIL("%s", e.msg);
	third = rng;
	fill(m, &rng, 1);
	optimizer_step(o, 1e-4);

	ck = checkpoint_open(path, &e);
	if (!ck || !(again = model_from_checkpoint(ck, be, MODEL_TRAIN, DTYPE_AUTO, &e)))
		TEST_FAIL("%s", e.msg);
	p = optimizer_new(&again->params, &a);
	CHECK_INT(optimizer_load(p, ck, &e), 1);
	CHECK_INT(p->step, 2);
	fill(again, &third, 1);
	optimizer_step(p, 1e-4);
	for (i = 0; i < m->params.size; i++) {
		float x = number(&m->params, i), y = number(&again->params, i);

		CHECK_MEM(&x, sizeof x, &y, sizeof y);
		CHECK(computed(&m->params, i) == computed(&again->params, i));
	}
	CHECK_MEM(p->exp_avg, bytes, o->exp_avg, bytes);
	CHECK_MEM(p->exp_avg_sq, bytes, o->exp_avg_sq, bytes);
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
	decay(false);
	decay(true);
	fine_steps("bfloat16");
	fine_steps("float16");
	half_moments();
	to_disk("float32", false);
	to_disk("float32", true);
	to_disk("bfloat16", false);
	to_disk("bfloat16", true);
	to_disk("float16", false);
	backend_close(be);
	return 0;
}
