/* Any bytes as config.json: what is accepted keeps its promises, and reads the same when it is written and read again. */
#include <stdlib.h>
#include <string.h>

#include "model/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct config *c)
{
	int i;

	if (c->hidden_size < 1 || c->layers < 1 || c->heads < 1 || c->kv_heads < 1 || c->head_dim < 2 || c->intermediate_size < 1 || c->vocab_size < 1)
		abort();
	if (c->heads % c->kv_heads || c->head_dim % 2 || !(c->rms_norm_eps >= 0) || !(c->rope_theta >= 1) || c->bos >= c->vocab_size)
		abort();
	if (c->experts.count && (c->experts.count % c->experts.groups || c->experts.count / c->experts.groups < 2 || c->experts.top > c->experts.count ||
				 c->experts.top_groups > c->experts.groups || c->experts.dense_layers > c->layers))
		abort();
	if (c->latent.kv_rank && (c->latent.rope != c->head_dim || c->latent.nope < 1 || c->latent.value < 1))
		abort();
	for (i = 0; i < c->eos_count; i++)
		if (c->eos[i] < 0 || c->eos[i] >= c->vocab_size)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config c, again;
	struct buf text = {0};
	struct err e;

	if (config_parse(&c, (const char *)data, size, "config.json", &e) == 0) {
		check(&c);
		config_write(&c, &text);
		if (config_parse(&again, text.p, text.n, "again", &e) < 0)
			abort();
		if (again.hidden_size != c.hidden_size || again.rope_theta != c.rope_theta || again.eos_count != c.eos_count || strcmp(again.dtype, c.dtype))
			abort();
		config_free(&again);
		if (config_read_generation(&c, (const char *)data, size, "generation_config.json", &e) == 0)
			check(&c);
		buf_free(&text);
	}
	config_free(&c);
	return 0;
}
