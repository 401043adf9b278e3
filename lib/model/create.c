#include "model/create.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/human.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/tool.h"
#include "model/model.h"
#include "model/summary.h"

#define PIECE ((int64_t)1 << 20)        /* numbers made and written at a time */
#define LARGEST_RANGE 1e3               /* of the first weights: nothing near it is of use, and float16 ends at 65504 */

static int add_tokenizer_file(struct checkpoint_writer *w, const char *path, const char *name, const struct config *c, struct err *e)
{
	struct buf text = {0};
	int64_t tokens = 0;
	int rc = file_read(path, &text, e);

	if (rc == 0 && !strcmp(name, "tokenizer.json")) {
		rc = summary_count_tokens(text.p, text.n, path, &tokens, e);
		if (rc == 0 && tokens > c->vocab_size)
			rc = err_set(e, "%s: has %lld tokens, but the configuration's 'vocab_size' is %lld", path, (long long)tokens,
				     (long long)c->vocab_size);
	}
	if (rc == 0)
		rc = checkpoint_add_file(w, name, text.p, text.n, e);
	buf_free(&text);
	return rc;
}

/* A file is the tokenizer.json; of a folder, all that goes with a model is taken. */
static int add_tokenizer(struct checkpoint_writer *w, const char *path, const struct config *c, struct err *e)
{
	static const char *const names[] = {CHECKPOINT_COMPANIONS};
	size_t i;
	int rc = 0;

	if (!file_is_dir(path))
		return add_tokenizer_file(w, path, "tokenizer.json", c, e);
	for (i = 0; rc == 0 && i < sizeof names / sizeof *names; i++) {
		char *file = file_join(path, names[i]);

		if (file_exists(file))
			rc = add_tokenizer_file(w, file, names[i], c, e);
		else if (!strcmp(names[i], "tokenizer.json"))
			rc = err_errno(e, "%s", file);
		free(file);
	}
	return rc;
}

struct making {
	const struct model *m;
	const struct part *part;
	uint64_t seed;
	int64_t from;
	float *w;
};

static void make_numbers(void *arg, int64_t from, int64_t to, int worker)
{
	struct making *k = arg;

	(void)worker;
	model_init_part(k->m, k->part, k->seed, k->from + from, to - from, k->w + from);
}

static int write_weights(struct checkpoint_writer *w, const struct model *m, enum st_dtype dtype, const struct create_args *a, struct err *e)
{
	struct safetensors_writer *s = checkpoint_add_tensors(w, MODEL_WEIGHTS, e);
	struct progress p = progress_new("making", a->quiet ? 0 : m->params.count, "numbers");
	struct making k = {.m = m, .seed = a->seed};
	struct pool *pool;
	int64_t done = 0;
	size_t i;

	if (!s)
		return -1;
	safetensors_shard(s, a->shard_bytes);
	params_declare(&m->params, s, "", dtype);
	pool = pool_new((int)a->threads);
	k.w = xmalloc((size_t)PIECE * sizeof *k.w);
	for (i = 0; i < m->params.parts && !tool_interrupted(); i++) {
		int64_t n = part_count(&m->params.part[i]), piece;

		k.part = &m->params.part[i];
		for (k.from = 0; k.from < n && !tool_interrupted(); k.from += piece) {
			piece = n - k.from < PIECE ? n - k.from : PIECE;
			pool_run(pool, piece, 1 << 14, make_numbers, &k);
			safetensors_write(s, k.w, piece);
			done += piece;
			if (!a->quiet)
				progress_set(&p, done, 0);
		}
	}
	progress_end(&p);
	free(k.w);
	pool_free(pool);
	if (!tool_interrupted())
		return safetensors_finish(s, e);
	safetensors_discard(s);
	return err_set(e, "interrupted");
}

/* What is read may be of any type and range; what is made is of one that can be written, and finite. */
static int check_config(const struct config *c, struct err *e)
{
	if (config_check_dtype(c, e) < 0)
		return -1;
	if (c->initializer_range > LARGEST_RANGE)
		return err_set(e, "'initializer_range' = %g is more than %g", c->initializer_range, LARGEST_RANGE);
	return 0;
}

int model_create(const struct config *c, const char *path, const struct create_args *a, struct err *e)
{
	enum st_dtype dtype = model_file_dtype(c);
	struct model *m = check_config(c, e) < 0 ? NULL : model_new(c, NULL, MODEL_SCORE, DTYPE_AUTO, e);
	struct checkpoint_writer *w;
	int rc;

	if (!m)
		return err_prefix(e, "%s", a->name);
	w = checkpoint_begin(path, e);
	rc = w ? checkpoint_add_config(w, c, e) : -1;
	if (rc == 0 && a->tokenizer)
		rc = add_tokenizer(w, a->tokenizer, c, e);
	if (rc == 0)
		rc = write_weights(w, m, dtype, a, e);
	if (rc == 0)
		rc = checkpoint_commit(w, e);
	else
		checkpoint_abandon(w);
	if (rc == 0)
		tool_note("%s: %s parameters, %s", path, HUMAN_COUNT(m->params.count), HUMAN_SIZE((double)m->params.count * (double)st_dtype_size(dtype)));
	model_free(m);
	return rc;
}
