/* What DeepSeek-V3's config.json says beyond others': latent attention, experts. Defaults are those of transformers' DeepseekV3Config. */
#include <string.h>

#include "model/config_private.h"

#define WIDTH_MAX (1 << 16)     /* of a head */

static int read_latent(struct config *c, const struct js *j, struct err *e)
{
	struct latent_config *l = &c->latent;
	const struct js *q = js_get(j, "q_lora_rank");
	int64_t head;

	if (config_count(j, "q_lora_rank", q ? 0 : 1536, 1 << 20, &l->q_rank, e) < 0 ||
	    config_size(j, "kv_lora_rank", 512, 1 << 20, &l->kv_rank, e) < 0 ||
	    config_size(j, "qk_nope_head_dim", 128, WIDTH_MAX, &l->nope, e) < 0 || config_size(j, "qk_rope_head_dim", 64, WIDTH_MAX, &l->rope, e) < 0 ||
	    config_size(j, "v_head_dim", 128, WIDTH_MAX, &l->value, e) < 0 || config_bool(j, "rope_interleave", true, &l->interleave, e) < 0)
		return -1;
	c->head_dim = l->rope;
	if (config_size(j, "head_dim", l->rope, WIDTH_MAX, &head, e) < 0)
		return -1;
	if (head != l->rope)
		return err_set(e, "'head_dim' %lld is not 'qk_rope_head_dim' %lld", (long long)head, (long long)l->rope);
	if (config_size(j, "qk_head_dim", l->nope + l->rope, 2 * WIDTH_MAX, &head, e) < 0)
		return -1;
	if (head != l->nope + l->rope)
		return err_set(e, "'qk_head_dim' %lld is not 'qk_nope_head_dim' %lld and 'qk_rope_head_dim' %lld", (long long)head, (long long)l->nope,
			       (long long)l->rope);
	if (c->kv_heads != c->heads)
		return err_set(e, "'num_key_value_heads' %lld is not 'num_attention_heads' %lld", (long long)c->kv_heads, (long long)c->heads);
	return 0;
}

static int check_experts(const struct experts_config *x, struct err *e)
{
	if (x->count % x->groups || x->count / x->groups < 2)
		return err_set(e, "'n_routed_experts' %lld do not make 'n_group' %lld groups of two at least", (long long)x->count, (long long)x->groups);
	if (x->top_groups > x->groups)
		return err_set(e, "'topk_group' %lld is more than 'n_group' %lld", (long long)x->top_groups, (long long)x->groups);
	if (x->top > x->count)
		return err_set(e, "'num_experts_per_tok' %lld is more than 'n_routed_experts' %lld", (long long)x->top, (long long)x->count);
	return 0;
}

static int read_experts(struct config *c, const struct js *j, struct err *e)
{
	struct experts_config *x = &c->experts;

	if (config_size(j, "n_routed_experts", 256, WIDTH_MAX, &x->count, e) < 0 ||
	    config_size(j, "num_experts_per_tok", 8, WIDTH_MAX, &x->top, e) < 0 || config_size(j, "n_group", 8, WIDTH_MAX, &x->groups, e) < 0 ||
	    config_size(j, "topk_group", 4, WIDTH_MAX, &x->top_groups, e) < 0 ||
	    config_count(j, "n_shared_experts", js_get(j, "n_shared_experts") ? 0 : 1, 1024, &x->shared, e) < 0 ||
	    config_size(j, "moe_intermediate_size", 2048, 1 << 24, &x->intermediate_size, e) < 0 ||
	    config_count(j, "first_k_dense_replace", 3, INT32_MAX, &x->dense_layers, e) < 0 ||
	    config_bool(j, "norm_topk_prob", true, &x->normalize, e) < 0 || config_number(j, "routed_scaling_factor", 2.5, 0, &x->scale, e) < 0)
		return -1;
	if (x->dense_layers > c->layers)
		x->dense_layers = c->layers;
	return check_experts(x, e);
}

int config_deepseek(struct config *c, const struct js *j, struct err *e)
{
	if (read_latent(c, j, e) < 0 || read_experts(c, j, e) < 0)
		return -1;
	return config_count(j, "num_nextn_predict_layers", 0, 1 << 14, &c->nextn_layers, e);
}

/* {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}: weights in F8_E4M3 with a scale for each block */
int config_quantization(struct config *c, const struct js *j, struct err *e)
{
	const struct js *q = js_get(j, "quantization_config"), *method = js_get(q, "quant_method"), *format = js_get(q, "fmt");
	const struct js *block = js_get(q, "weight_block_size");
	int i;

	if (!q || js_is_null(q))
		return 0;
	if (!js_is_string(method) || strcmp(js_string(method, NULL), "fp8") != 0 || (format && (!js_is_string(format) ||
	    strcmp(js_string(format, NULL), "e4m3") != 0)) || js_size(block) != 2)
		return config_refuse("quantization_config", q, " (only fp8, e4m3, with a weight_block_size)", e);
	for (i = 0; i < 2; i++) {
		const struct js *size = js_at(block, (size_t)i);

		if (!js_is_int(size) || js_int(size) < 1 || js_int(size) > 1 << 20)
			return config_refuse("quantization_config", q, " (weight_block_size is two sizes)", e);
		c->fp8_block[i] = js_int(size);
	}
	return 0;
}
