/* model.h - a language model: its parameters, and its forward pass, whose layers are in the family's own file
 *
 *     struct model *m = model_load("run/policy", be, MODEL_SAMPLE, DTYPE_AUTO, &e);
 *     struct tensor *h = model_hidden(m, &tape, id, position, N, &sequences, NULL, N); // [N, C], after the last norm
 *     struct logprobs l = op_logprob(&tape, h, m->head, target, 1 / temperature, true);
 *     model_free(m);
 *
 * A family is one file of lib/model/family/ with a `const struct family family_NAME` at its end: it declares its parameters and states
 * a layer. What is around the layers is alike for all: the embedding, the last norm, the head. The backward pass comes from the tape.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/params.h"
#include "tensor/ops.h"

struct model;

struct family {
	const char *model_type;         /* config.json's "model_type" */
	/* Declares every parameter by model_param, sets m->embed, m->norm and, by model_param_head, the head; keeps what it needs in m->net (memory of
	 * m->arena). */
	void (*declare)(struct model *m);
	/* Layer `index` for a flat batch: x [N, C] -> [N, C]. */
	struct tensor *(*layer)(struct model *m, struct tape *t, int64_t index, struct tensor *x, const int32_t *position, const struct sequences *s);
};
extern const struct family *const family_table[];
const struct family *family_find(const char *model_type, struct err *e);  /* NULL and e, with those that there are */

enum model_use { MODEL_SAMPLE, MODEL_TRAIN, MODEL_SCORE };      /* weights laid out for few rows at once; gradients; neither */

/* What matrices are kept as. DTYPE_AUTO: bfloat16 where that changes no number, else float32; what a file has in F8_E4M3: bfloat16 if
 * torch_dtype says so. DTYPE_BFLOAT16 rounds what does not fit. It is the keeping alone: everything is computed in float32. Not so by cpu-bf16
 * and cuda (be->rounds), for which DTYPE_AUTO is what torch_dtype says. A model that is trained is kept as its configuration's torch_dtype says, which is
 * what is computed with and what is saved, with what its optimizer needs beside it (enum params_kept). */
enum model_dtype { DTYPE_AUTO, DTYPE_FLOAT32, DTYPE_BFLOAT16 };
#define MODEL_DTYPES "auto|float32|bfloat16"
enum model_dtype model_dtype(const char *name);         /* one of those names */

struct model {
	const struct family *family;
	struct config config;
	struct backend *be;
	struct params params;           /* data and gradients of them all */
	struct params adapter;          /* a low-rank adapter's A and B (lora.h); no parts: there is none */
	struct lora **lora;             /* [params.tensors], what it adds to each; NULL where it adds nothing */
	float *cos_sin;                 /* rope's table for the positions reserved so far */
	int64_t positions;
	struct tensor *norm;            /* [1, C], behind the last layer */
	struct tensor *embed, *head;    /* [V, C]; one and the same when tied; head NULL where there is a score */
	struct tensor *score;           /* [1, C]; NULL in a language model */
	bool half;                      /* some matrix is of bfloat16: products may round to that (backend.h) */
	int64_t k_width, v_width;       /* of the cache (struct kv_cache): G*D each, if the family's declare does not say otherwise */
	void *net;
	struct arena arena;
};

/* For declare: adds to m->params (params.h). */
struct tensor *model_param(struct model *m, const char *prefix, int64_t cols, const struct param_part *part, int parts);

/* For declare, at its end: m->head, or m->score where the configuration is scalar. */
void model_param_head(struct model *m);

/* A folder or an archive. NULL and e on error. */
struct model *model_load(const char *path, struct backend *be, enum model_use use, enum model_dtype dtype, struct err *e);
struct model *model_from_checkpoint(const struct checkpoint *ck, struct backend *be, enum model_use use, enum model_dtype dtype, struct err *e);
struct model *model_from_tensors(const struct config *c, const struct safetensors *from, struct backend *be, enum model_use use,
				 enum model_dtype dtype, struct err *e);
/* The memory for it alone. */
struct model *model_for_tensors(const struct config *c, const struct safetensors *from, struct backend *be, enum model_use use,
				enum model_dtype dtype, struct err *e);
/* A model of that configuration, its weights not set (0, if it is to be trained). DTYPE_AUTO goes by the configuration's torch_dtype. be
 * NULL: its parts alone, their names and shapes, without memory for weights. */
struct model *model_new(const struct config *c, struct backend *be, enum model_use use, enum model_dtype dtype, struct err *e);
void model_init(struct model *m, uint64_t seed);        /* normal(0, initializer_range) matrices, norms 1, biases 0, keyed by name */
/* What model_init gives numbers from .. from+n-1 of a part, into host memory. */
void model_init_part(const struct model *m, const struct part *p, uint64_t seed, int64_t from, int64_t n, float *w);
void model_free(struct model *m);

int64_t model_active(const struct model *m);            /* parameters that a token meets: of experts, those that it is sent to */
/* The names of its tensors, into `known`; and whether a file's tensor is the scale, in blocks, of one of those in F8_E4M3, which it belongs to. */
void model_names(const struct model *m, struct map *known);
bool model_is_scale(struct map *known, const char *name);
/* Notes how many tensors of a file belong to layers behind the last, which no family computes: of num_nextn_predict_layers, or more than
 * num_hidden_layers says; and how many others the model does not have. */
void model_note_left_out(const char *path, const struct model *m, const struct safetensors *from);
enum st_dtype model_file_dtype(const struct config *c);          /* of the weights in a file: what its dtype says */
enum weight_type model_fp8(const struct config *c);     /* what weights of F8_E4M3 are turned into by DTYPE_AUTO: by torch_dtype */

struct params *model_trained(struct model *m);         /* what a MODEL_TRAIN is trained in: the adapter, or all */

/* Adds what is trained of it, the model's tensors or its adapter's, to a checkpoint that is being written, in the configuration's torch_dtype. For a
 * model to be trained only. More than shard_bytes (0: anything) go to shards with an index (safetensors_shard). */
int model_save(struct model *m, struct checkpoint_writer *w, const char *name, int64_t shard_bytes, struct err *e);
#define MODEL_SHARD_GB 5.0              /* what others write as one file at most */

/* Whether activations (tape.h), and a cache (struct kv_cache's `half`), of the model are of 16 bits; with latent attention they are not */
static inline bool model_half_rows(const struct model *m)
{
	return m->be->half_rows && m->half && m->v_width;
}
static inline bool model_half_keys(const struct model *m)
{
	return m->be->half_keys && m->half && m->v_width;
}
void model_reserve_positions(struct model *m, int64_t positions);      /* rope's table at least that long */
/* Rows [out, C]: the last norm's output for a flat batch, of the rows that out_row (as index arrays in ops.h) names; NULL: of all. */
struct tensor *model_hidden(struct model *m, struct tape *t, const int32_t *id, const int32_t *position, int64_t rows, const struct sequences *s,
			    const int32_t *out_row, int64_t out);

#endif
