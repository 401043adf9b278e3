/* config.h - what config.json says of a model, as Hugging Face writes it
 *
 *     struct config c;
 *     if (config_read(&c, "run/policy/config.json", &e) < 0) ...      // "run/policy/config.json: 'hidden_size' is missing"
 *     config_read_generation(&c, text, n, name, &e);                  // generation_config.json: more tokens that end a text
 *     config_free(&c);
 *
 * What is read is checked: sizes are positive, H is a multiple of G, D is even, and there are at most 2^42 parameters, so that no product
 * of sizes overflows int64_t. A setting that would change the mathematics and that no family here computes (a scaling of rope, sliding
 * windows, a way to quantise weights, another activation ...) is refused by its name. Whether a family of that model_type exists is the
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

/* "rope_scaling", or "rope_parameters": how rotary positions reach beyond the context that a model was made for */
enum rope_type { ROPE_DEFAULT, ROPE_YARN, ROPE_LLAMA3, ROPE_LINEAR };
struct rope_scaling {
	enum rope_type type;
	double factor;                  /* of the context, at least 1 */
	int64_t original;               /* original_max_position_embeddings; max_position_embeddings where absent */
	double beta_fast, beta_slow;    /* turns over the original context between which the ramp lies; 32 and 1 where absent */
	double mscale, mscale_all_dim;  /* 0: absent */
	double low_freq_factor, high_freq_factor;       /* llama3: turns over the original context between which the ramp lies; 1 and 4 */
	double attention_factor;        /* of cosines and sines; 0: it follows from the others */
	bool truncate;                  /* the ramp begins and ends at whole pairs; true where absent */
};

/* deepseek_v3: multi-head latent attention; kv_rank is 0 in other families */
struct latent_config {
	int64_t q_rank;                 /* q_lora_rank; 0: null, queries are made at once */
	int64_t kv_rank;                /* kv_lora_rank */
	int64_t nope, rope, value;      /* qk_nope_head_dim, qk_rope_head_dim (head_dim too), v_head_dim */
	bool interleave;                /* rope_interleave: rotated pairs lie beside each other */
};

/* A mixture of experts; count is 0 where there is none */
struct experts_config {
	int64_t count, top;             /* n_routed_experts, num_experts_per_tok */
	int64_t groups, top_groups;     /* n_group, topk_group */
	int64_t shared;                 /* n_shared_experts, as one of so many times the width; 0: none */
	int64_t intermediate_size;      /* moe_intermediate_size */
	int64_t dense_layers;           /* first_k_dense_replace: the first layers, which have none; L at most */
	bool normalize;                 /* norm_topk_prob */
	double scale;                   /* routed_scaling_factor */
};

struct config {
	char model_type[32];            /* "qwen2" */
	int64_t hidden_size;            /* C */
	int64_t layers;                 /* L  num_hidden_layers */
	int64_t heads;                  /* H  num_attention_heads */
	int64_t kv_heads;               /* G  num_key_value_heads; H where absent */
	int64_t head_dim;               /* D  C / H where absent (qwen3: 128) */
	int64_t intermediate_size;      /* F */
	int64_t vocab_size;             /* V */
	int64_t max_positions;          /* max_position_embeddings: the context in tokens */
	double rms_norm_eps;            /* 1e-6 where absent */
	double rope_theta;              /* 10000 where absent */
	double initializer_range;       /* 0.02 where absent */
	struct rope_scaling rope;
	struct latent_config latent;
	struct experts_config experts;
	int64_t nextn_layers;           /* num_nextn_predict_layers: layers behind the last, which are left out */
	int64_t fp8_block[2];           /* rows and columns to a scale of weights in F8_E4M3; 0: no quantization_config */
	bool tie_word_embeddings;       /* false where absent */
	bool attention_bias;            /* q, k, v and o have biases (deepseek_v3: q_a, kv_a and o); false where absent. qwen2 has its own way */
	bool mlp_bias;                  /* llama: gate, up and down have biases; false where absent */
	bool scalar;                    /* "...ForSequenceClassification" of one label: a score of the text (pass.h), and no logits */
	bool scalar_begins;             /* not of the file: it is about to get its score's weights, which begin at 0 */
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

/* -1 and e where its torch_dtype is no type that weights are written in: what is read may be of any. */
int config_check_dtype(const struct config *c, struct err *e);

/* From now on the model scores texts; config_write says so as transformers does. */
void config_make_scalar(struct config *c);

struct config config_copy(const struct config *c);      /* for config_free, as its original */
void config_free(struct config *c);

/* The rotation of pair i by a position is position * frequency[i], i = 0 .. D/2-1 (Su et al. 2021, eq. 15), scaled as c->rope says. Returns
 * what cosines and sines are multiplied by. Frequencies and angles are rounded to float32, as where the models were trained: thousands of tokens
 * on, the last bit of a frequency is seen in the logits. */
double rope_frequencies(const struct config *c, float *frequency);
/* D/2 cosines, D/2 sines: what a head is turned with at a position. */
void rope_turn(const float *frequency, double size, int64_t head_dim, int64_t position, float *row);
const char *rope_name(enum rope_type type);             /* "yarn", as files call it */
double rope_mscale(double factor, double mscale);       /* YaRN's: 0.1 mscale ln factor + 1 */

/* The document, indented by 2, a newline at its end. Fields of the struct that were changed since the reading are written with their new
 * values; all others as they stood, but for what a checkpoint that is written has not: quantised weights, layers that predict further tokens. */
void config_write(const struct config *c, struct buf *to);

#endif
