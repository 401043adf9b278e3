#include "model/dense.h"

#include <math.h>
#include <stdio.h>

struct layer {
	struct tensor *attention_norm;  /* [1, C] */
	struct tensor *qkv;             /* [(H+2G)*D, C] */
	struct tensor *qkv_bias;        /* [1, (H+2G)*D], or NULL */
	struct tensor *q_norm, *k_norm; /* [1, D], or NULL */
	struct tensor *o, *o_bias;      /* [C, H*D], and [1, C] or NULL */
	struct tensor *ffn_norm;        /* [1, C] */
	struct tensor *gate_up, *gate_up_bias;  /* [2F, C], and [1, 2F] or NULL */
	struct tensor *down, *down_bias;        /* [C, F], and [1, C] or NULL */
};

static struct tensor *vector(struct model *m, const char *prefix, const char *name, int64_t n)
{
	return model_param(m, prefix, 0, (struct param_part[]){{name, n}}, 1);
}

static void declare_attention(struct model *m, struct layer *l, const char *prefix, const struct dense *d)
{
	const struct config *c = &m->config;
	const int64_t C = c->hidden_size, D = c->head_dim, H = c->heads, G = c->kv_heads;

	l->qkv = model_param(m, prefix, C, (struct param_part[]){{"self_attn.q_proj.weight", H * D}, {"self_attn.k_proj.weight", G * D},
								 {"self_attn.v_proj.weight", G * D}}, 3);
	if (d->qkv_bias)
		l->qkv_bias = model_param(m, prefix, 0, (struct param_part[]){{"self_attn.q_proj.bias", H * D}, {"self_attn.k_proj.bias", G * D},
									      {"self_attn.v_proj.bias", G * D}}, 3);
	if (d->qk_norm) {
		l->q_norm = vector(m, prefix, "self_attn.q_norm.weight", D);
		l->k_norm = vector(m, prefix, "self_attn.k_norm.weight", D);
	}
	l->o = model_param(m, prefix, H * D, (struct param_part[]){{"self_attn.o_proj.weight", C}}, 1);
	if (d->o_bias)
		l->o_bias = vector(m, prefix, "self_attn.o_proj.bias", C);
}

static void declare_feed_forward(struct model *m, struct layer *l, const char *prefix, const struct dense *d)
{
	const int64_t C = m->config.hidden_size, F = m->config.intermediate_size;

	l->gate_up = model_param(m, prefix, C, (struct param_part[]){{"mlp.gate_proj.weight", F}, {"mlp.up_proj.weight", F}}, 2);
	if (d->mlp_bias)
		l->gate_up_bias = model_param(m, prefix, 0, (struct param_part[]){{"mlp.gate_proj.bias", F}, {"mlp.up_proj.bias", F}}, 2);
	l->down = model_param(m, prefix, F, (struct param_part[]){{"mlp.down_proj.weight", C}}, 1);
	if (d->mlp_bias)
		l->down_bias = vector(m, prefix, "mlp.down_proj.bias", C);
}

void dense_declare(struct model *m, const struct dense *d)
{
	const struct config *c = &m->config;
	const int64_t C = c->hidden_size;
	struct layer *layer = arena_alloc(&m->arena, (size_t)c->layers * sizeof *layer);
	char prefix[64];
	int64_t i;

	m->embed = model_param(m, "model", C, (struct param_part[]){{"embed_tokens.weight", c->vocab_size}}, 1);
	for (i = 0; i < c->layers; i++) {
		struct layer *l = &layer[i];

		*l = (struct layer){0};
		snprintf(prefix, sizeof prefix, "model.layers.%d", (int)i);
		l->attention_norm = vector(m, prefix, "input_layernorm.weight", C);
		declare_attention(m, l, prefix, d);
		l->ffn_norm = vector(m, prefix, "post_attention_layernorm.weight", C);
		declare_feed_forward(m, l, prefix, d);
	}
	m->norm = vector(m, "model", "norm.weight", C);
	model_param_head(m);
	m->net = layer;
}

struct tensor *dense_layer(struct model *m, struct tape *t, int64_t index, struct tensor *x, const int32_t *position, const struct sequences *s)
{
	const struct config *c = &m->config;
	const int64_t D = c->head_dim, H = c->heads, G = c->kv_heads;
	const float eps = (float)c->rms_norm_eps, scale = (float)(1 / sqrt((double)D));
	const struct layer *l = (const struct layer *)m->net + index;
	struct tensor *y;

	y = op_linear_rows(t, op_rmsnorm(t, x, l->attention_norm, eps), l->qkv, l->qkv_bias);   /* [N, (H+2G)*D] */
	if (l->q_norm)
		y = op_rmsnorm_heads(t, y, l->q_norm, l->k_norm, eps, H, G, D);
	y = op_rope(t, y, position, m->cos_sin, H + G, D);
	y = op_attention(t, y, s, index, H, G, D, scale);                                       /* [N, H*D] */
	x = op_linear_add(t, x, y, l->o, l->o_bias);
	y = op_linear_rows(t, op_rmsnorm(t, x, l->ffn_norm, eps), l->gate_up, l->gate_up_bias); /* [N, 2F] */
	return op_linear_add(t, x, op_swiglu(t, y), l->down, l->down_bias);
}
