/* Rotary positions of models that others made, up to the ends of their contexts, against transformers' (tests/pytorch/make-rope-fixture.py). */
#include "test.h"

#include "base/mem.h"
#include "model/config.h"
#include "model/safetensors.h"

/* The reference's power function is sometimes off by a bit, which an angle multiplies: those pairs are few. */
static void far_out(const struct safetensors *expected, const char *name)
{
	const struct st_tensor *t = safetensors_find(expected, name), *where = safetensors_find(expected, "positions");
	char *path = xasprintf("tests/tool/model-info/%s", name);
	float *want, at[16], row[256];
	float frequency[128];
	double size;
	int64_t p, i, D, off = 0;
	struct config c;
	struct err e;

	if (config_read(&c, path, &e) < 0)
		TEST_FAIL("%s", e.msg);
	D = c.head_dim;
	CHECK(t && where && where->count <= 16 && D <= 256 && t->count == where->count * D);
	want = xmalloc((size_t)t->count * sizeof *want);
	CHECK(safetensors_floats(expected, t, 0, t->count, want, &e) == 0 && safetensors_floats(expected, where, 0, where->count, at, &e) == 0);
	size = rope_frequencies(&c, frequency);
	for (p = 0; p < where->count; p++) {
		rope_turn(frequency, size, D, (int64_t)at[p], row);
		for (i = 0; i < D; i++) {
			double error = fabs((double)row[i] - want[p * D + i]);

			CHECK(error < 2e-7 + 1.3e-7 * at[p] * frequency[i % (D / 2)]);
			off += error > 2e-7;
		}
	}
	if (off > t->count / 50)
		TEST_FAIL("%s: %lld of %lld are off", name, (long long)off, (long long)t->count);
	config_free(&c);
	free(want);
	free(path);
}

int main(void)
{
	static const char *const name[] = {"qwen2.5-0.5b.json", "qwen3-0.6b.json", "llama-3.1-8b.json", "deepseek-v3.json"};
	struct err e;
	struct safetensors *expected = safetensors_open("tests/pytorch/rope.safetensors", &e);
	size_t i;

	if (!expected)
		TEST_FAIL("%s", e.msg);
	for (i = 0; i < sizeof name / sizeof *name; i++)
		far_out(expected, name[i]);
	safetensors_close(expected);
	return 0;
}
