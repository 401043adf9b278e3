/* Layers that are computed again on the way back: every family to the same bits as with their activations kept, adapters and numbers of 16 bits
 * too; and the memory that a pass takes grows with a layer by its input alone. */
#include "backend_util.h"

#include "model/pass.h"
#include "tensor/dry.h"

enum { N = 2 * 25 + 19 };

/* What two passes come to: logprobs, entropies, and all gradients behind them */
struct result {
	float out[2 * N];
	float *grad;
	int64_t size;
};

static struct result run(const struct checkpoint *ck, const char *dtype, struct backend *be, bool recompute)
{
	struct config c = config_copy(&ck->config);
	struct result r = {.out = {0}};
	struct err e;
	struct model *m;
	struct params *p;
	struct tape t = tape_new(be);
	int32_t id[N];
	float d[N], dentropy[N];
	int64_t i, at = 0;

	if (dtype)
		strcpy(c.dtype, dtype);
	m = dtype ? model_from_tensors(&c, ck->weights, be, MODEL_TRAIN, DTYPE_AUTO, &e) : model_from_checkpoint(ck, be, MODEL_TRAIN, DTYPE_AUTO, &e);
	if (!m)
		TEST_FAIL("%s", e.msg);
	p = model_trained(m);
	params_need_grad(p);
	for (i = 0; i < N; i++) {
		id[i] = (int32_t)(i * 7 % (c.vocab_size - 1));
		d[i] = (float)(i % 5) - 2;
		dentropy[i] = 0.1f * (float)(i % 3);
	}
	t.record = true;
	t.recompute = recompute;
	for (i = 0; i < 2; i++) {               /* two sequences, then one: a tape's second pass is on memory that is not new */
		struct example ex[] = {{.id = id, .n = i ? 19 : 25, .first = i ? 1 : 9, .inv_temperature = 1},
				       {.id = id + 20, .n = 25, .first = 1, .inv_temperature = 1}};
		struct pass pass = pass_forward(m, &t, ex, i ? 1 : 2, true);

		CHECK(at + 2 * pass.n <= 2 * N);
		memcpy(r.out + at, pass.logprob, (size_t)pass.n * sizeof *r.out);
		memcpy(r.out + at + pass.n, pass.entropy, (size_t)pass.n * sizeof *r.out);
		at += 2 * pass.n;
		pass_backward(&t, &pass, d, dentropy);
	}
	CHECK(!recompute == !t.inner[0]);
	r.size = p->size;
	r.grad = xmalloc((size_t)r.size * sizeof *r.grad);
	be->download(be, r.grad, p->grad, (size_t)r.size * sizeof *r.grad);
	tape_free(&t);
	model_free(m);
	config_free(&c);
	return r;
}

static void same(const char *name, const char *dtype, struct backend *be)
{
	struct result kept, again;
	struct checkpoint *ck;
	double size = 0;
	char path[256];
	struct err e;
	int64_t i;

	snprintf(path, sizeof path, "tests/pytorch/%s", name);
	ck = checkpoint_open(path, &e);
	if (!ck)
		TEST_FAIL("%s", e.msg);
	if (dtype && ck->base) {
		checkpoint_close(ck);
		return;
	}
	kept = run(ck, dtype, be, false);
	again = run(ck, dtype, be, true);
	CHECK_MEM(again.out, sizeof again.out, kept.out, sizeof kept.out);
	CHECK_MEM(again.grad, again.size * 4, kept.grad, kept.size * 4);
	for (i = 0; i < kept.size; i++)
		size += fabs(kept.grad[i]);
	CHECK(size > 0);
	free(kept.grad);
	free(again.grad);
	checkpoint_close(ck);
}

/* ---- segments that are not a residual layer: the input's gradient is made in the inner tape's memory, or is there already ---- */

enum { ROWS = 7, WIDE = 24 };

static struct tensor *by_weight(struct tape *t, struct tensor *x, const void *arg)
{
	return op_linear(t, x, *(struct tensor *const *)arg, NULL);
}

/* The gradients of table, w and head, [3][WIDE * WIDE] */
static void plain(struct backend *be, bool recompute, bool twice, float *grad)
{
	const size_t bytes = WIDE * WIDE * sizeof(float);
	static const int32_t id[ROWS] = {3, 1, 4, 1, 5, 9, 2};
	static const float d[ROWS] = {1, -1, 0.5f, 2, 1, -3, 0.25f};
	struct tensor p[3], *w = &p[1], *x, *y;
	struct tape t = tape_new(be);
	struct logprobs l;
	float host[WIDE * WIDE];
	int i, j;

	for (i = 0; i < 3; i++) {
		p[i] = (struct tensor){.rows = WIDE, .cols = WIDE, .data = be->alloc(be, bytes), .grad = be->alloc(be, bytes), .is_param = true};
		for (j = 0; j < WIDE * WIDE; j++)
			host[j] = (float)sin(i + 0.7 * j);
		be->upload(be, p[i].data, host, bytes);
		be->zero(be, p[i].grad, bytes);
	}
	t.record = true;
	t.recompute = recompute;
	x = op_embedding(&t, &p[0], tape_upload(&t, id, ROWS), ROWS);
	y = op_segment(&t, x, by_weight, &w, sizeof w);
	if (twice)
		y = op_add(&t, y, x);
	y = op_segment(&t, y, by_weight, &w, sizeof w);
	l = op_logprob(&t, y, &p[2], tape_upload(&t, id, ROWS), 1, false);
	op_logprob_seed(&t, &l, d, NULL);
	tape_backward(&t);
	for (i = 0; i < 3; i++) {
		be->download(be, grad + (size_t)i * WIDE * WIDE, p[i].grad, bytes);
		be->free(be, p[i].data);
		be->free(be, p[i].grad);
	}
	tape_free(&t);
}

static void other_segments(struct backend *be)
{
	float kept[3 * WIDE * WIDE], again[3 * WIDE * WIDE];
	int twice;

	for (twice = 0; twice < 2; twice++) {
		plain(be, false, twice, kept);
		plain(be, true, twice, again);
		CHECK_MEM(again, sizeof again, kept, sizeof kept);
		CHECK(kept[3 * WIDE] != 0 && kept[WIDE * WIDE] != 0);
	}
}

/* ---- memory ---- */

static const char dense[] = "{\"model_type\": \"qwen2\", \"hidden_size\": 256, \"num_hidden_layers\": %d, \"num_attention_heads\": 8,"
			    "\"num_key_value_heads\": 2, \"intermediate_size\": 1024, \"vocab_size\": 500}";
static const char deepseek[] = "{\"model_type\": \"deepseek_v3\", \"hidden_size\": 256, \"num_hidden_layers\": %d, \"num_attention_heads\": 8,"
			       "\"num_key_value_heads\": 8, \"intermediate_size\": 1024, \"moe_intermediate_size\": 128, \"q_lora_rank\": 64,"
			       "\"kv_lora_rank\": 64, \"qk_nope_head_dim\": 32, \"qk_rope_head_dim\": 16, \"v_head_dim\": 32, \"n_routed_experts\": 8,"
			       "\"num_experts_per_tok\": 2, \"n_group\": 2, \"topk_group\": 1, \"n_shared_experts\": 1, \"first_k_dense_replace\": 1,"
			       "\"vocab_size\": 500}";

struct taken {
	double said, held, host;        /* by tape_peak; of the backend after all passes; the most that one of the host's arenas has had */
};

enum how { KEEP, RECOMPUTE, FORWARD, TURNS };   /* FORWARD: nothing goes back; TURNS: every other pass does not */

/* Passes of other numbers of tokens one after the other, the longest in the middle */
static struct taken take(const char *form, int layers, enum how how)
{
	static const int64_t tokens[] = {8000, 7000, 8192, 8100, 5000, 8191};
	struct backend *be = backend_dry_new(NULL);
	struct tape t = tape_new(be);
	int32_t *id = xcalloc(8193, sizeof *id);
	float *d = xcalloc(8192, sizeof *d);
	struct taken k = {0};
	struct config c;
	struct model *m;
	struct err e;
	char text[1000];
	size_t before, i;

	snprintf(text, sizeof text, form, layers);
	if (config_parse(&c, text, strlen(text), "config.json", &e) < 0 || !(m = model_new(&c, be, MODEL_TRAIN, DTYPE_AUTO, &e)))
		TEST_FAIL("%s", e.msg);
	params_need_grad(&m->params);
	model_reserve_positions(m, 8193);
	before = backend_dry_used(be);
	t.recompute = how == RECOMPUTE;
	for (i = 0; i < 2 * (sizeof tokens / sizeof *tokens); i++) {
		struct pass p;

		t.record = how != FORWARD && (how != TURNS || i % 2);
		p = pass_forward(m, &t, &(struct example){id, tokens[i / 2] + 1, 1, 1}, 1, true);
		if (t.record)
			pass_backward(&t, &p, d, d);
		else
			tape_reset(&t);
	}
	k.said = (double)tape_peak(&t);
	k.held = (double)(backend_dry_used(be) - before);
	k.host = (double)(t.host.peak + (t.inner[0] ? t.inner[0]->host.peak : 0) + (t.inner[1] ? t.inner[1]->host.peak : 0));
	tape_free(&t);
	CHECK_INT(backend_dry_used(be), before);
	CHECK(pass_measure(&c, NULL, 2000, PASS_RECOMPUTES) < pass_measure(&c, NULL, 2000, 0));
	if (how != FORWARD) {
		const double told = (double)pass_measure(&c, NULL, 8192, how == TURNS ? PASS_SCORES : how == RECOMPUTE ? PASS_RECOMPUTES : 0);

		CHECK(k.said < 1.01 * told && k.said > 0.95 * told);
	}
	model_free(m);
	config_free(&c);
	be->destroy(be);
	free(id);
	free(d);
	return k;
}

static void less(const char *form)
{
	const double input = 8192 * 256 * 4;
	const struct taken few = take(form, 4, RECOMPUTE), many = take(form, 24, RECOMPUTE), all = take(form, 24, KEEP), turns = take(form, 4, TURNS);
	const struct taken there = take(form, 4, FORWARD), far = take(form, 24, FORWARD);

	CHECK(many.said - few.said < 20 * input * 1.05 && many.said - few.said > 20 * input * 0.95);
	CHECK(many.held - few.held < 20 * input * 1.05);
	CHECK(there.said == far.said && there.held == far.held && there.host == far.host && far.said < few.said);
	CHECK(many.held < 1.05 * many.said + (32 << 20));       /* chunks of other sizes than a pass needs do not pile up */
	CHECK(many.said < all.said / 5 && many.held < all.held / 5);
	CHECK(turns.said > take(form, 4, KEEP).said && turns.held < 1.05 * turns.said + (32 << 20));
	CHECK(many.host < 1.1 * few.host);
}

/* Where the backend has activations of 16 bits, a pass of a model of 16 bits takes less, whether layers are computed again or not; with latent
 * attention there are none of them. */
static void half_takes(const char *form, bool latent)
{
	const struct backend gpu = {.half_rows = true, .logits_at_once = CPU_LOGITS};
	struct config c;
	char text[1000];
	struct err e;
	unsigned how;

	snprintf(text, sizeof text, form, 6);
	if (config_parse(&c, text, strlen(text), "config.json", &e) < 0)
		TEST_FAIL("%s", e.msg);
	CHECK_STR(c.dtype, "float32");
	for (how = 0; how < 4; how++)
		CHECK_INT(pass_measure(&c, &gpu, 2000, how), pass_measure(&c, NULL, 2000, how));
	strcpy(c.dtype, "bfloat16");
	for (how = 0; how < 4; how++) {
		const int64_t half = pass_measure(&c, &gpu, 2000, how), full = pass_measure(&c, NULL, 2000, how);

		CHECK(latent ? half == full : half < full);
	}
	if (!latent)
		CHECK((double)pass_measure(&c, &gpu, 2000, 0) < 0.7 * (double)pass_measure(&c, NULL, 2000, 0));
	CHECK(pass_measure(&c, &gpu, 2000, PASS_RECOMPUTES) < pass_measure(&c, &gpu, 2000, 0));
	config_free(&c);
}

int main(void)
{
	static const char *const name[] = {"qwen2-gqa", "qwen2-untied", "qwen2-gqa-lora", "deepseek-groups", "deepseek-plain", "qwen3-tied", "llama-plain"};
	struct backend *be[] = {other_backend() ? open_other() : backend_cpu_new(1), other_backend() ? NULL : backend_cpu_new(2),
				other_backend() ? NULL : backend_bf16_new(2)};
	size_t i, k;

	for (k = 0; k < sizeof be / sizeof *be && be[k]; k++) {
		for (i = 0; i < sizeof name / sizeof *name; i++) {
			same(name[i], NULL, be[k]);
			same(name[i], "bfloat16", be[k]);
		}
		other_segments(be[k]);
		backend_close(be[k]);
	}
	if (!other_backend()) {
		less(dense);
		less(deepseek);
		half_takes(dense, false);
		half_takes(deepseek, true);
	}
	return 0;
}
