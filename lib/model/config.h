/* config.h - what config.json says of a model, as Hugging Face writes it
 *
 *     struct config c;
 *     if (config_read(&c, "run/policy/config.json", &e) < 0) ...      // "run/policy/config.json: 'hidden_size' is missing"
 *     config_read_generation(&c, text, n, name, &e);                  // generation_config.json: more tokens that end a text
 *     config_free(&c);
 *
 * What is read is checked: sizes are positive, H is a multiple of G, D is even, and there are at most 2^42 parameters, so that no product
 * of sizes overflows int64_t. A setting that would change the mathematics and that no family here computes (rope_scaling, sliding
 * windows, quantised weights, another activation ...) is refused by its name. Whether a family of that model_type exists is the
 * model's to say (model.h).
 *
 * The document itself is kept: fields that mean nothing to us are written back unchanged and in order.
 *
 * Ownership: `json` belongs to the struct and goes with config_free. A copy by assignment borrows it: it is good for the numbers, and
 * must be neither freed nor written after the original is gone; config_copy makes one that stands alone.
 */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/json.h"

#define CONFIG_EOS 8

struct config {
	char model_type[32];            /* "qwen2" */
	int64_t hidden_size;            /* C */
	int64_t layers;                 /* L  num_hidden_layers */
	int64_t heads;                  /* H  num_attention_heads */
	int64_t kv_heads;               /* G  num_key_value_heads; H where absent */
	int64_t head_dim;               /* D  C / H where absent */
	int64_t intermediate_size;      /* F */
	int64_t vocab_size;             /* V */
	int64_t max_positions;          /* max_position_embeddings: the context in tokens */
	double rms_norm_eps;            /* 1e-6 where absent */
	double rope_theta;              /* 10000 where absent */
	double initializer_range;       /* 0.02 where absent */
	bool tie_word_embeddings;       /* false where absent */
	char dtype[16];                 /* torch_dtype: "float32", "bfloat16", "float16"; float32 where absent */
	int32_t bos;                    /* bos_token_id; -1: none */
	int32_t eos[CONFIG_EOS];        /* eos_token_id, one or several; then generation_config.json's that are not among them */
	int eos_count;
	struct js *json;                /* the whole document */
};

/* All three leave c ready for config_free also when they fail. `name` stands in front of messages. */
int config_read(struct config *c, const char *path, struct err *e);
int config_parse(struct config *c, const char *text, size_t n, const char *name, struct err *e);
int config_read_generation(struct config *c, const char *text, size_t n, const char *name, struct err *e);

struct config config_copy(const struct config *c);
void config_free(struct config *c);

/* The document, indented by 2, a newline at its end. Fields of the struct that were changed since the reading are written with their new
 * values; all others as they stood. */
void config_write(const struct config *c, struct buf *to);

#endif
