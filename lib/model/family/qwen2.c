/* Qwen2 and Qwen2.5: pre-norm transformer, grouped-query attention with biases on q, k and v, rotary positions, SwiGLU. */
#include "model/model.h"

#include <math.h>
#include <stdio.h>

struct layer {
	struct tensor *attention_norm;  /* [1, C] */
	struct tensor *qkv;             /* [(H+2G)*D, C] */
	struct tensor *qkv_bias;        /* [1, (H+2G)*D] */
	struct tensor *o;               /* [C, H*D] */
	struct tensor *ffn_norm;        /* [1, C] */
	struct tensor *gate_up;         /* [2F, C] */
	struct tensor *down;            /* [C, F] */
};

struct qwen2 {
	struct layer *layer;            /* [L] */
	struct tensor *norm;            /* [1, C] */
};

static void declare(struct model *m)
{
	const struct config *c = &m->config;
	int64_t C = c->hidden_size, F = c->intermediate_size, D = c->head_dim, H = c->heads, G = c->kv_heads, i;
	struct qwen2 *net = arena_alloc(&m->arena, sizeof *net);
	char prefix[64];

	net->layer = arena_alloc(&m->arena, (size_t)c->layers * sizeof *net->layer);
	m->embed = model_param(m, "model", C, (struct param_part[]){{"embed_tokens.weight", c->vocab_size}}, 1);
	for (i = 0; i < c->layers; i++) {
		struct layer *l = &net->layer[i];

		snprintf(prefix, sizeof prefix, "model.layers.%d", (int)i);
		l->attention_norm = model_param(m, prefix, 0, (struct param_part[]){{"input_layernorm.weight", C}}, 1);
		l->qkv = model_param(m, prefix, C, (struct param_part[]){{"self_attn.q_proj.weight", H * D}, {"self_attn.k_proj.weight", G * D},
									 {"self_attn.v_proj.weight", G * D}}, 3);
		l->qkv_bias = model_param(m, prefix, 0, (struct param_part[]){{"self_attn.q_proj.bias", H * D}, {"self_attn.k_proj.bias", G * D},
									      {"self_attn.v_proj.bias", G * D}}, 3);
		l->o = model_param(m, prefix, H * D, (struct param_part[]){{"self_attn.o_proj.weight", C}}, 1);
		l->ffn_norm = model_param(m, prefix, 0, (struct param_part[]){{"post_attention_layernorm.weight", C}}, 1);
		l->gate_up = model_param(m, prefix, C, (struct param_part[]){{"mlp.gate_proj.weight", F}, {"mlp.up_proj.weight", F}}, 2);
		l->down = model_param(m, prefix, F, (struct param_part[]){{"mlp.down_proj.weight", C}}, 1);
	}
	net->norm = model_param(m, "model", 0, (struct param_part[]){{"norm.weight", C}}, 1);
	m->head = c->tie_word_embeddings ? m->embed : model_param(m, "lm_head", C, (struct param_part[]){{"weight", c->vocab_size}}, 1);
	m->net = net;
}

static struct tensor *forward(struct model *m, struct tape *t, const int32_t *id, const int32_t *position, int64_t rows, const struct sequences *s)
{
	const struct config *c = &m->config;
	int64_t D = c->head_dim, H = c->heads, G = c->kv_heads, i;
	float eps = (float)c->rms_norm_eps, scale = (float)(1 / sqrt((double)D));
	const struct qwen2 *net = m->net;
	struct tensor *x = op_embedding(t, m->embed, id, rows), *y;     /* [N, C] */

	for (i = 0; i < c->layers; i++) {
		const struct layer *l = &net->layer[i];

		y = op_linear(t, op_rmsnorm(t, x, l->attention_norm, eps), l->qkv, l->qkv_bias);        /* [N, (H+2G)*D] */
		y = op_rope(t, y, position, m->cos_sin, H + G, D);
		y = op_attention(t, y, s, i, H, G, D, scale);                                           /* [N, H*D] */
		x = op_add(t, x, op_linear(t, y, l->o, NULL));
		y = op_linear(t, op_rmsnorm(t, x, l->ffn_norm, eps), l->gate_up, NULL);                 /* [N, 2F] */
		x = op_add(t, x, op_linear(t, op_swiglu(t, y), l->down, NULL));
	}
	return op_rmsnorm(t, x, net->norm, eps);
}

const struct family family_qwen2 = {"qwen2", declare, forward};
