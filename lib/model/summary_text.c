/* What a summary looks like: text for people, JSON for programs. */
#include "model/summary.h"

#include "base/human.h"
#include "record/emit.h"

void summary_json(const struct summary *s, struct buf *b)
{
	const struct memory *k = &s->memory;
	const struct config *c = &s->config;
	int i;

	buf_char(b, '{');
	emit_member_string(b, "model", s->path);
	emit_member_string(b, "model_type", c->model_type);
	emit_member_int(b, "parameters", s->shapes->params.count);
	emit_member_int(b, "active_parameters", model_active(s->shapes));
	emit_member_int(b, "embedding_parameters", s->head);
	if (s->adapter)
		emit_member_int(b, "adapter_parameters", s->adapter);
	emit_member_string(b, "dtype", s->dtype);
	emit_member_int(b, "bytes", s->bytes);
	emit_member_int(b, "num_hidden_layers", c->layers);
	emit_member_int(b, "hidden_size", c->hidden_size);
	emit_member_int(b, "num_attention_heads", c->heads);
	emit_member_int(b, "num_key_value_heads", c->kv_heads);
	emit_member_int(b, "head_dim", c->head_dim);
	emit_member_int(b, "intermediate_size", c->intermediate_size);
	emit_member_int(b, "vocab_size", c->vocab_size);
	emit_member_bool(b, "tie_word_embeddings", c->tie_word_embeddings);
	emit_member_int(b, "max_position_embeddings", c->max_positions);
	emit_member_number(b, "rms_norm_eps", c->rms_norm_eps);
	emit_member_number(b, "rope_theta", c->rope_theta);
	emit_member_string(b, "rope_type", rope_name(c->rope.type));
	emit_key(b, "eos_token_id");
	for (i = 0; i < c->eos_count; i++)
		buf_printf(b, "%s%d", i ? "," : "[", (int)c->eos[i]);
	buf_str(b, i ? "]" : "[]");
	emit_member_int(b, "tokenizer_tokens", s->tokens);
	emit_member_bool(b, "chat_template", s->template);
	emit_member_bool(b, "optimizer", s->optimizer);
	emit_member_int(b, "step", s->state.step);
	emit_member_int(b, "num_tokens", s->state.tokens);
	emit_key(b, "memory");
	buf_char(b, '{');
	emit_member_int(b, "length", k->length);
	emit_member_int(b, "sequences", k->sequences);
	emit_member_int(b, "sampler", k->sampler);
	emit_member_int(b, "cache_per_token", k->cache_per_token);
	emit_member_int(b, "sampling", k->sampling);
	emit_member_int(b, "trainer", k->trainer);
	emit_member_int(b, "activations", k->activations);
	emit_member_int(b, "activations_recompute", k->recomputing);
	emit_member_int(b, "training", k->training);
	if (k->lora)
		emit_member_int(b, "training_lora", k->lora + k->activations);
	buf_str(b, "}}");
}

static void shape_text(const struct config *c, struct buf *b)
{
	buf_printf(b, "  shape        %lld layer%s, width %s, ", (long long)c->layers, c->layers == 1 ? "" : "s", HUMAN_COUNT(c->hidden_size));
	if (c->latent.kv_rank)
		buf_printf(b, "%lld heads of %lld and %lld rotated, values of %lld, latent of %lld", (long long)c->heads, (long long)c->latent.nope,
			   (long long)c->latent.rope, (long long)c->latent.value, (long long)c->latent.kv_rank);
	else
		buf_printf(b, "%lld query and %lld key/value heads of %lld", (long long)c->heads, (long long)c->kv_heads, (long long)c->head_dim);
	buf_printf(b, ", feed-forward %s\n", HUMAN_COUNT(c->intermediate_size));
}

static void context_text(const struct config *c, struct buf *b)
{
	buf_printf(b, "  context      %s tokens", HUMAN_COUNT(c->max_positions));
	if (c->rope.type == ROPE_LINEAR)
		buf_printf(b, ", rotary positions %g times slower (linear)", c->rope.factor);
	else if (c->rope.type != ROPE_DEFAULT)
		buf_printf(b, ", rotary positions for %s stretched by %g (%s)", HUMAN_COUNT(c->rope.original), c->rope.factor, rope_name(c->rope.type));
	buf_char(b, '\n');
}

static void vocabulary_text(const struct summary *s, struct buf *b)
{
	const struct config *c = &s->config;
	int i;

	buf_printf(b, "  vocabulary   %s", HUMAN_COUNT(c->vocab_size));
	if (s->tokens)
		buf_printf(b, " (%s in the tokenizer)", HUMAN_COUNT(s->tokens));
	for (i = 0; i < c->eos_count; i++)
		buf_printf(b, "%s%d", i ? ", " : "; ends with ", (int)c->eos[i]);
	buf_char(b, '\n');
}

/* What a config.json alone does not say */
static void checkpoint_text(const struct summary *s, struct buf *b)
{
	if (s->ck->base)
		buf_printf(b, "  adapter      LoRA of rank %lld, alpha %g, on %s: %s parameters\n", (long long)s->ck->lora.rank, s->ck->lora.alpha,
			   s->ck->base->path, HUMAN_COUNT(s->adapter));
	buf_printf(b, "  weights      %s, %s\n", s->dtype ? s->dtype : "none", HUMAN_SIZE(s->bytes));
	if (s->unused)
		buf_printf(b, "  unused       %zu tensor%s, the first is '%s'\n", s->unused, s->unused == 1 ? "" : "s", s->first_unused);
	buf_printf(b, "  with it      %s%s%s\n", s->tokens ? "tokenizer" : "no tokenizer", s->template ? ", chat template" : "",
		   s->optimizer ? ", optimizer's state" : "");
	if (s->state.step)
		buf_printf(b, "  trained      %s steps, %s tokens\n", HUMAN_COUNT(s->state.step), HUMAN_COUNT(s->state.tokens));
}

static void memory_text(const struct summary *s, struct buf *b)
{
	const struct memory *k = &s->memory;

	buf_printf(b, "  to sample    %s: weights %s, cache %s for %s sequence%s of %s tokens (%s a token)\n", HUMAN_SIZE(k->sampling),
		   HUMAN_SIZE(k->sampler), HUMAN_SIZE(k->cache), HUMAN_COUNT(k->sequences), k->sequences == 1 ? "" : "s", HUMAN_COUNT(k->length),
		   HUMAN_SIZE(k->cache_per_token));
	buf_printf(b, "  to train     %s: %s %s, activations %s for %s tokens at once\n", HUMAN_SIZE(k->training),
		   s->adapter ? "weights, LoRA's own with gradients and AdamW" : "weights, gradients and AdamW", HUMAN_SIZE(k->trainer),
		   HUMAN_SIZE(k->activations), HUMAN_COUNT(k->length));
	if (k->lora)
		buf_printf(b, "  with LoRA    %s: weights, those of rank %d with gradients and AdamW %s, activations as before\n",
			   HUMAN_SIZE(k->lora + k->activations), SUMMARY_LORA_RANK, HUMAN_SIZE(k->lora));
	buf_printf(b, "  recomputing  %s", HUMAN_SIZE(k->training - k->activations + k->recomputing));
	if (k->lora)
		buf_printf(b, ", with LoRA %s", HUMAN_SIZE(k->lora + k->recomputing));
	buf_printf(b, ": activations %s with --recompute\n", HUMAN_SIZE(k->recomputing));
}

void summary_text(const struct summary *s, struct buf *b)
{
	const struct config *c = &s->config;

	buf_printf(b, "%s\n  family       %s%s\n", s->path, c->model_type,
		   c->scalar ? ", a scalar head: it scores texts" : c->tie_word_embeddings ? ", head tied to the embedding" : "");
	buf_printf(b, "  parameters   %s, of which %s in the embedding%s\n", HUMAN_COUNT(s->shapes->params.count), HUMAN_COUNT(s->head),
		   c->tie_word_embeddings ? "" : " and the head");
	if (c->experts.count)
		buf_printf(b, "  active       %s for a token: %lld of %lld experts in %lld of the layers\n", HUMAN_COUNT(model_active(s->shapes)),
			   (long long)c->experts.top, (long long)c->experts.count, (long long)(c->layers - c->experts.dense_layers));
	shape_text(c, b);
	context_text(c, b);
	vocabulary_text(s, b);
	if (s->ck)
		checkpoint_text(s, b);
	else
		buf_printf(b, "  weights      %s, %s\n", c->dtype, HUMAN_SIZE(s->bytes));
	memory_text(s, b);
	b->p[--b->n] = 0;               /* whoever prints it ends the line */
}
