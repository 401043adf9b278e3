/* DeepSeek-V3 and R1 (arXiv:2412.19437): pre-norm transformer, multi-head latent attention, SwiGLU in the first layers, then a mixture of
 * experts with a bias that balances their load, and experts that all tokens share. */
#include "model/model.h"

#include <math.h>
#include <stdio.h>

#define LATENT_EPS 1e-6f        /* of the norms inside attention, which rms_norm_eps does not reach */

struct layer {
	struct tensor *attention_norm;          /* [1, C] */
	struct tensor *q_a, *q_a_bias;          /* [Q, C], [1, Q] or NULL; Q q_lora_rank: without it there are none */
	struct tensor *q_a_norm;                /* [1, Q] */
	struct tensor *q;                       /* [H*(Dn+Dr), Q], or [.., C] */
	struct tensor *kv_a, *kv_a_bias;        /* [R+Dr, C] */
	struct tensor *kv_a_norm;               /* [1, R] */
	struct tensor *kv_b;                    /* [H*(Dn+Dv), R] */
	struct tensor *o, *o_bias;              /* [C, H*Dv] */
	struct tensor *ffn_norm;                /* [1, C] */
	struct tensor *gate_up, *down;          /* [2F, C], [C, F]: of a dense layer, or of the shared experts, or NULL */
	struct tensor *router, *router_bias;    /* [E, C], [1, E]; NULL in a dense layer */
	struct expert *expert;                  /* [E] */
};

struct deepseek {
	struct layer *layer;            /* [L] */
	struct latent_shape shape;
	float scale;                    /* of attention's scores */
};

static struct tensor *one(struct model *m, const char *prefix, const char *name, int64_t rows, int64_t cols)
{
	return model_param(m, prefix, cols, &(struct param_part){name, rows}, 1);
}

static void declare_attention(struct model *m, struct layer *l, const char *prefix)
{
	const struct latent_config *s = &m->config.latent;
	int64_t C = m->config.hidden_size, H = m->config.heads, Q = s->q_rank;

	if (Q) {
		l->q_a = one(m, prefix, "self_attn.q_a_proj.weight", Q, C);
		l->q_a_bias = m->config.attention_bias ? one(m, prefix, "self_attn.q_a_proj.bias", Q, 0) : NULL;
		l->q_a_norm = one(m, prefix, "self_attn.q_a_layernorm.weight", Q, 0);
		l->q = one(m, prefix, "self_attn.q_b_proj.weight", H * (s->nope + s->rope), Q);
	} else {
		l->q = one(m, prefix, "self_attn.q_proj.weight", H * (s->nope + s->rope), C);
	}
	l->kv_a = one(m, prefix, "self_attn.kv_a_proj_with_mqa.weight", s->kv_rank + s->rope, C);
	l->kv_a_bias = m->config.attention_bias ? one(m, prefix, "self_attn.kv_a_proj_with_mqa.bias", s->kv_rank + s->rope, 0) : NULL;
	l->kv_a_norm = one(m, prefix, "self_attn.kv_a_layernorm.weight", s->kv_rank, 0);
	l->kv_b = one(m, prefix, "self_attn.kv_b_proj.weight", H * (s->nope + s->value), s->kv_rank);
	l->kv_b->in_rows = true;        /* heads are parts of it, and it is multiplied by from both sides */
	l->o = one(m, prefix, "self_attn.o_proj.weight", C, H * s->value);
	l->o_bias = m->config.attention_bias ? one(m, prefix, "self_attn.o_proj.bias", C, 0) : NULL;
}

static void declare_feed_forward(struct model *m, struct tensor **gate_up, struct tensor **down, const char *prefix, int64_t F)
{
	int64_t C = m->config.hidden_size;

	*gate_up = model_param(m, prefix, C, (struct param_part[]){{"gate_proj.weight", F}, {"up_proj.weight", F}}, 2);
	*down = one(m, prefix, "down_proj.weight", C, F);
}

static void declare_experts(struct model *m, struct layer *l, const char *prefix)
{
	const struct experts_config *x = &m->config.experts;
	char name[128];
	int64_t i;

	l->router = one(m, prefix, "mlp.gate.weight", x->count, m->config.hidden_size);
	l->router_bias = model_param(m, prefix, 0, &(struct param_part){"mlp.gate.e_score_correction_bias", x->count, .fixed = true}, 1);
	l->expert = arena_calloc(&m->arena, (size_t)x->count * sizeof *l->expert);
	for (i = 0; i < x->count; i++) {
		snprintf(name, sizeof name, "%s.mlp.experts.%d", prefix, (int)i);
		declare_feed_forward(m, &l->expert[i].gate_up, &l->expert[i].down, name, x->intermediate_size);
	}
	snprintf(name, sizeof name, "%s.mlp.shared_experts", prefix);
	if (x->shared)
		declare_feed_forward(m, &l->gate_up, &l->down, name, x->shared * x->intermediate_size);
}

static void declare(struct model *m)
{
	const struct config *c = &m->config;
	const struct latent_config *s = &c->latent;
	struct deepseek *net = arena_calloc(&m->arena, sizeof *net);
	double scale = 1 / sqrt((double)(s->nope + s->rope)), mscale;
	char prefix[64], name[128];
	int64_t i;

	net->layer = arena_calloc(&m->arena, (size_t)c->layers * sizeof *net->layer);
	m->embed = one(m, "model", "embed_tokens.weight", c->vocab_size, c->hidden_size);
	for (i = 0; i < c->layers; i++) {
		struct layer *l = &net->layer[i];

		snprintf(prefix, sizeof prefix, "model.layers.%d", (int)i);
		l->attention_norm = one(m, prefix, "input_layernorm.weight", c->hidden_size, 0);
		declare_attention(m, l, prefix);
		l->ffn_norm = one(m, prefix, "post_attention_layernorm.weight", c->hidden_size, 0);
		snprintf(name, sizeof name, "%s.mlp", prefix);
		if (i < c->experts.dense_layers)
			declare_feed_forward(m, &l->gate_up, &l->down, name, c->intermediate_size);
		else
			declare_experts(m, l, prefix);
	}
	m->norm = one(m, "model", "norm.weight", c->hidden_size, 0);
	model_param_head(m);
	/* YaRN's temperature, as far as cosines and sines do not have it already */
	mscale = c->rope.type == ROPE_YARN && c->rope.mscale_all_dim != 0 ? rope_mscale(c->rope.factor, c->rope.mscale_all_dim) : 1;
	net->scale = (float)(scale * mscale * mscale);
	net->shape = (struct latent_shape){.heads = c->heads, .rank = s->kv_rank, .nope = s->nope, .rope = s->rope, .value = s->value,
					   .interleaved = s->interleave};
	m->k_width = s->kv_rank + s->rope;
	m->v_width = 0;
	m->net = net;
}

/* y [N, C], normed -> [N, C] */
static struct tensor *attend(struct model *m, struct tape *t, const struct layer *l, int64_t index, struct tensor *y, const int32_t *position,
			     const struct sequences *seqs)
{
	const struct deepseek *net = m->net;
	const struct latent_shape *s = &net->shape;
	struct tensor *q = y, *keys;

	if (l->q_a)
		q = op_rmsnorm(t, op_linear(t, q, l->q_a, l->q_a_bias), l->q_a_norm, LATENT_EPS);
	q = op_latent_queries(t, op_linear(t, q, l->q, NULL), l->kv_b, position, m->cos_sin, s);                /* [N, H*(R+Dr)] */
	keys = op_latent_keys(t, op_linear(t, y, l->kv_a, l->kv_a_bias), l->kv_a_norm, LATENT_EPS, position, m->cos_sin, s);    /* [N, R+Dr] */
	y = op_latent_values(t, op_latent(t, q, keys, seqs, index, s, net->scale), l->kv_b, s);                 /* [N, H*Dv] */
	return op_linear(t, y, l->o, l->o_bias);
}

/* y [N, C], normed -> [N, C] */
static struct tensor *feed_forward(struct model *m, struct tape *t, const struct layer *l, struct tensor *y)
{
	const struct experts_config *x = &m->config.experts;
	struct tensor *dense = NULL, *weight;
	int32_t *id;

	if (l->router) {
		struct routing how = {.experts = x->count, .groups = x->groups, .top_groups = x->top_groups, .top = x->top,
				      .normalize = x->normalize, .scale = (float)x->scale, .bias = l->router_bias->data};

		weight = op_route(t, op_linear(t, y, l->router, NULL), &how, &id);
		dense = op_experts(t, y, weight, id, l->expert, x->count);
	}
	if (l->gate_up) {
		struct tensor *all = op_linear(t, op_swiglu(t, op_linear(t, y, l->gate_up, NULL)), l->down, NULL);

		dense = dense ? op_add(t, dense, all) : all;
	}
	return dense;
}

static struct tensor *layer(struct model *m, struct tape *t, int64_t index, struct tensor *x, const int32_t *position, const struct sequences *s)
{
	const float eps = (float)m->config.rms_norm_eps;
	const struct deepseek *net = m->net;
	const struct layer *l = &net->layer[index];

	x = op_add(t, x, attend(m, t, l, index, op_rmsnorm(t, x, l->attention_norm, eps), position, s));
	return op_add(t, x, feed_forward(m, t, l, op_rmsnorm(t, x, l->ffn_norm, eps)));
}

const struct family family_deepseek_v3 = {"deepseek_v3", declare, layer};
