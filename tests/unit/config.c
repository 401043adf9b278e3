/* config.json: what is read, what is refused and how it is said, what is written back. */
#include "test.h"

#include "base/file.h"
#include "model/config.h"

#define CHECK_FLOAT(got, want) CHECK_NEAR((got) / (want), 1, 3e-7)          /* frequencies are rounded to float32 */

static const char qwen[] = "{\n"
	"  \"architectures\": [\"Qwen2ForCausalLM\"],\n"
	"  \"attention_dropout\": 0.0,\n"
	"  \"bos_token_id\": 151643,\n"
	"  \"eos_token_id\": 151645,\n"
	"  \"hidden_act\": \"silu\",\n"
	"  \"hidden_size\": 896,\n"
	"  \"initializer_range\": 0.02,\n"
	"  \"intermediate_size\": 4864,\n"
	"  \"max_position_embeddings\": 32768,\n"
	"  \"max_window_layers\": 21,\n"
	"  \"model_type\": \"qwen2\",\n"
	"  \"num_attention_heads\": 14,\n"
	"  \"num_hidden_layers\": 24,\n"
	"  \"num_key_value_heads\": 2,\n"
	"  \"rms_norm_eps\": 1e-06,\n"
	"  \"rope_theta\": 1000000.0,\n"
	"  \"sliding_window\": 32768,\n"
	"  \"tie_word_embeddings\": true,\n"
	"  \"torch_dtype\": \"bfloat16\",\n"
	"  \"transformers_version\": \"4.43.1\",\n"
	"  \"use_cache\": true,\n"
	"  \"use_sliding_window\": false,\n"
	"  \"vocab_size\": 151936\n"
	"}\n";

/* The text of `base` with `"key": value` in place of what it had, or before all others. value NULL: without the key. */
static char *with(const char *base, const char *key, const char *value)
{
	static char room[2][4096], *out = *room;        /* base may be what the last call gave */
	char quoted[128];
	const char *at, *end;

	out = room[out == *room];
	snprintf(quoted, sizeof quoted, "\"%s\":", key);
	at = strstr(base, quoted);
	if (at) {
		end = strchr(at, '\n');
		if (value)
			snprintf(out, sizeof *room, "%.*s%s %s%s%s", (int)(at - base), base, quoted, value, end[-1] == ',' ? "," : "", end);
		else
			snprintf(out, sizeof *room, "%.*s%s", (int)(at - base), base, end);
	} else {
		snprintf(out, sizeof *room, "{\n  %s %s,%s", quoted, value, base + 1);
	}
	return out;
}

static void accept(const char *text, struct config *c)
{
	struct err e;

	if (config_parse(c, text, strlen(text), "config.json", &e) < 0)
		TEST_FAIL("refused: %s", e.msg);
}

static void refuse(const char *key, const char *value, const char *want)
{
	const char *text = with(qwen, key, value);
	struct config c;
	struct err e;

	if (config_parse(&c, text, strlen(text), "config.json", &e) == 0)
		TEST_FAIL("%s = %s was accepted", key, value);
	CHECK_STR(e.msg, want);
	config_free(&c);
}

static void reading(void)
{
	struct config c;

	accept(qwen, &c);
	CHECK_STR(c.model_type, "qwen2");
	CHECK_INT(c.hidden_size, 896);
	CHECK_INT(c.layers, 24);
	CHECK_INT(c.heads, 14);
	CHECK_INT(c.kv_heads, 2);
	CHECK_INT(c.head_dim, 64);
	CHECK_INT(c.intermediate_size, 4864);
	CHECK_INT(c.vocab_size, 151936);
	CHECK_INT(c.max_positions, 32768);
	CHECK(c.rms_norm_eps == 1e-6 && c.rope_theta == 1e6 && c.initializer_range == 0.02);
	CHECK(c.tie_word_embeddings);
	CHECK_STR(c.dtype, "bfloat16");
	CHECK_INT(c.bos, 151643);
	CHECK_INT(c.eos_count, 1);
	CHECK_INT(c.eos[0], 151645);
	config_free(&c);
}

static void defaults(void)
{
	static const char text[] = "{\"model_type\": \"qwen2\", \"hidden_size\": 8, \"num_hidden_layers\": 1, \"num_attention_heads\": 2,"
				   "\"intermediate_size\": 16, \"vocab_size\": 10, \"head_dim\": null, \"rope_scaling\": null, \"eos_token_id\": [3, 4, 3],"
				   "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 5000}, \"dtype\": \"float16\"}";
	struct config c;

	accept(text, &c);
	CHECK_INT(c.kv_heads, 2);
	CHECK_INT(c.head_dim, 4);
	CHECK_INT(c.max_positions, 32768);
	CHECK(c.rms_norm_eps == 1e-6 && c.rope_theta == 5000 && c.initializer_range == 0.02 && !c.tie_word_embeddings);
	CHECK_STR(c.dtype, "float16");
	CHECK_INT(c.bos, -1);
	CHECK_INT(c.eos_count, 2);
	CHECK(c.eos[0] == 3 && c.eos[1] == 4);
	config_free(&c);
}

static void refused(void)
{
	refuse("hidden_size", NULL, "config.json: 'hidden_size' is missing");
	refuse("hidden_size", "\"896\"", "config.json: 'hidden_size' is a string, not a whole number");
	refuse("hidden_size", "896.5", "config.json: 'hidden_size' is a real number, not a whole number");
	refuse("hidden_size", "-896", "config.json: 'hidden_size' is -896, not between 1 and 1048576");
	refuse("hidden_size", "900", "config.json: 'hidden_size' 900 is no multiple of 'num_attention_heads' 14");
	refuse("hidden_size", "14", "config.json: a head has 1 dimensions; rotary positions need an even number");
	refuse("num_key_value_heads", "3", "config.json: 'num_attention_heads' 14 is no multiple of 'num_key_value_heads' 3");
	refuse("num_hidden_layers", "0", "config.json: 'num_hidden_layers' is 0, not between 1 and 16384");
	refuse("vocab_size", "4294967296", "config.json: 'vocab_size' is 4294967296, not between 1 and 2147483647");
	refuse("rms_norm_eps", "\"small\"", "config.json: 'rms_norm_eps' is a string, not a number");
	refuse("rope_theta", "0", "config.json: 'rope_theta' is 0, less than 1");
	refuse("tie_word_embeddings", "1", "config.json: 'tie_word_embeddings' is a number, not true or false");
	refuse("model_type", NULL, "config.json: 'model_type' is missing");
	refuse("model_type", "7", "config.json: 'model_type' is a number, not a string");
	refuse("model_type", "\"a-name-that-is-much-longer-than-any-family's\"", "config.json: 'model_type' is no name that could be known");
	refuse("eos_token_id", "151936", "config.json: 'eos_token_id' holds 151936, which is no token of a vocabulary of 151936");
	refuse("eos_token_id", "[1, \"2\"]", "config.json: 'eos_token_id' holds a string, not a token id");
	refuse("eos_token_id", "[1, 2, 3, 4, 5, 6, 7, 8, 9]", "config.json: 'eos_token_id' holds more than 8 tokens");
	refuse("bos_token_id", "-1", "config.json: 'bos_token_id' holds -1, which is no token of a vocabulary of 151936");
	/* what would change the mathematics */
	refuse("hidden_act", "\"gelu\"", "config.json: 'hidden_act' = \"gelu\" is not supported (only silu)");
	refuse("rope_scaling", "{\"type\": \"longrope\", \"factor\": 4.0}", "config.json: 'rope_scaling' = {\"type\":\"longrope\",\"factor\":4.0} is not supported");
	refuse("rope_scaling", "{\"type\": \"yarn\", \"warp\": 4.0}", "config.json: 'rope_scaling' = {\"type\":\"yarn\",\"warp\":4.0} is not supported");
	refuse("rope_scaling", "{\"type\": \"yarn\"}", "config.json: 'rope_scaling': 'factor' is missing");
	refuse("rope_parameters", "{\"type\": \"yarn\", \"factor\": 0.5}", "config.json: 'rope_parameters': 'factor' is 0.5, less than 1");
	refuse("rope_scaling", "{\"type\": \"linear\"}", "config.json: 'rope_scaling': 'factor' is missing");
	refuse("rope_scaling", "{\"type\": \"linear\", \"factor\": 2, \"beta_fast\": 1}",
	       "config.json: 'rope_scaling' = {\"type\":\"linear\",\"factor\":2,\"beta_fast\":1} is not supported");
	refuse("rope_scaling", "{\"rope_type\": \"llama3\", \"factor\": 8}", "config.json: 'rope_scaling': 'original_max_position_embeddings' is missing");
	refuse("rope_scaling", "{\"rope_type\": \"llama3\", \"factor\": 8, \"original_max_position_embeddings\": 8192, \"low_freq_factor\": 4}",
	       "config.json: 'rope_scaling': llama3 needs 0 < 'low_freq_factor' < 'high_freq_factor'");
	refuse("rope_scaling", "4", "config.json: 'rope_scaling' = 4 is not supported");
	refuse("rope_scaling", "{\"type\": \"dynamic\", \"factor\": 4.0}", "config.json: 'rope_scaling' = {\"type\":\"dynamic\",\"factor\":4.0} is not supported");
	refuse("rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 10000}",
	       "config.json: 'rope_theta' is 1e+06 in one place and 10000 in 'rope_parameters'");
	refuse("rope_parameters", "{\"full_attention\": {\"rope_type\": \"default\"}}",
	       "config.json: 'rope_parameters' = {\"full_attention\":{\"rope_type\":\"default\"}} is not supported");
	refuse("use_sliding_window", "true", "config.json: 'use_sliding_window' = true is not supported");
	refuse("layer_types", "[\"full_attention\", \"sliding_attention\"]",
	       "config.json: 'layer_types' = [\"full_attention\",\"sliding_attention\"] is not supported");
	refuse("mlp_bias", "true", "config.json: 'mlp_bias' = true is not supported");
	refuse("attention_bias", "false", "config.json: 'attention_bias' = false is not supported");
	refuse("quantization_config", "{\"quant_method\": \"gptq\"}",
	       "config.json: 'quantization_config' = {\"quant_method\":\"gptq\"} is not supported (only fp8, e4m3, with a weight_block_size)");
	refuse("quantization_config", "{\"quant_method\": \"fp8\", \"fmt\": \"e5m2\", \"weight_block_size\": [128, 128]}",
	       "config.json: 'quantization_config' = {\"quant_method\":\"fp8\",\"fmt\":\"e5m2\",\"weight_block_size\":[128,128]} is not supported "
	       "(only fp8, e4m3, with a weight_block_size)");
	refuse("quantization_config", "{\"quant_method\": \"fp8\", \"weight_block_size\": [128, 0]}",
	       "config.json: 'quantization_config' = {\"quant_method\":\"fp8\",\"weight_block_size\":[128,0]} is not supported (weight_block_size is two sizes)");
	refuse("architectures", "[\"Qwen2ForSequenceClassification\"]",
	       "config.json: 'architectures' = [\"Qwen2ForSequenceClassification\"] is not supported");
	refuse("clip_qkv", "8.0", "config.json: 'clip_qkv' = 8.0 is not supported");
	refuse("scale_emb", "12", "config.json: 'scale_emb' = 12 is not supported");
	refuse("no_rope_layers", "[1, 0]", "config.json: 'no_rope_layers' = [1,0] is not supported");
	refuse("n_routed_experts", "8", "config.json: 'n_routed_experts' = 8 is not supported");
	refuse("num_experts", "8", "config.json: 'num_experts' = 8 is not supported");
	refuse("partial_rotary_factor", "0.5", "config.json: 'partial_rotary_factor' = 0.5 is not supported");
}

static void harmless(void)
{
	static const char *const pairs[][2] = {
		{"rope_scaling", "null"}, {"rope_scaling", "{\"rope_type\": \"default\"}"}, {"attention_bias", "true"}, {"mlp_bias", "false"},
		{"layer_types", "[\"full_attention\", \"full_attention\"]"}, {"attention_dropout", "0.1"}, {"use_mrope", "false"},
		{"rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 1000000.0}"},
		{"eos_token_id", "null"}, {"hidden_act", "null"}, {"something_new", "{\"a\": [1, 2]}"},
	};
	struct config c;
	size_t i;

	for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		accept(with(qwen, pairs[i][0], pairs[i][1]), &c);
		config_free(&c);
	}
}

/* Windows that no layer has */
static void windows(void)
{
	char *text = strdup(with(qwen, "use_sliding_window", "true"));
	char *last = strdup(with(text, "max_window_layers", "24"));
	struct config c;

	accept(last, &c);
	config_free(&c);
	accept(with(text, "layer_types", "[\"full_attention\"]"), &c);
	config_free(&c);
	free(last);
	free(text);
}

static void broken(void)
{
	struct config c;
	struct err e;

	CHECK(config_parse(&c, "{\"a\": ", 6, "x/config.json", &e) < 0 && !strncmp(e.msg, "x/config.json:1:", 16));
	config_free(&c);
	CHECK(config_parse(&c, "[]", 2, "x/config.json", &e) < 0);
	CHECK_STR(e.msg, "x/config.json: is an array, not an object");
	config_free(&c);
	CHECK(config_read(&c, "/nonexistent/config.json", &e) < 0);
	CHECK_STR(e.msg, "/nonexistent/config.json: No such file or directory");
	config_free(&c);
}

/* DeepSeek-V3's own, shortened by what does not matter here */
static const char deepseek[] = "{\n"
	"  \"model_type\": \"deepseek_v3\",\n"
	"  \"ep_size\": 1,\n"
	"  \"first_k_dense_replace\": 3,\n"
	"  \"hidden_act\": \"silu\",\n"
	"  \"hidden_size\": 7168,\n"
	"  \"intermediate_size\": 18432,\n"
	"  \"kv_lora_rank\": 512,\n"
	"  \"max_position_embeddings\": 163840,\n"
	"  \"moe_intermediate_size\": 2048,\n"
	"  \"moe_layer_freq\": 1,\n"
	"  \"n_group\": 8,\n"
	"  \"n_routed_experts\": 256,\n"
	"  \"n_shared_experts\": 1,\n"
	"  \"norm_topk_prob\": true,\n"
	"  \"num_attention_heads\": 128,\n"
	"  \"num_experts_per_tok\": 8,\n"
	"  \"num_hidden_layers\": 61,\n"
	"  \"num_key_value_heads\": 128,\n"
	"  \"num_nextn_predict_layers\": 1,\n"
	"  \"q_lora_rank\": 1536,\n"
	"  \"qk_nope_head_dim\": 128,\n"
	"  \"qk_rope_head_dim\": 64,\n"
	"  \"quantization_config\": {\"activation_scheme\": \"dynamic\", \"fmt\": \"e4m3\", \"quant_method\": \"fp8\", \"weight_block_size\": [128, 128]},\n"
	"  \"rms_norm_eps\": 1e-06,\n"
	"  \"rope_scaling\": {\"beta_fast\": 32, \"beta_slow\": 1, \"factor\": 40, \"mscale\": 1.0, \"mscale_all_dim\": 1.0,"
	" \"original_max_position_embeddings\": 4096, \"type\": \"yarn\"},\n"
	"  \"rope_theta\": 10000,\n"
	"  \"routed_scaling_factor\": 2.5,\n"
	"  \"scoring_func\": \"sigmoid\",\n"
	"  \"topk_group\": 4,\n"
	"  \"topk_method\": \"noaux_tc\",\n"
	"  \"torch_dtype\": \"bfloat16\",\n"
	"  \"v_head_dim\": 128,\n"
	"  \"vocab_size\": 129280\n"
	"}\n";

/* Llama-3.1-8B's: pairs that turn more than 4 times over 8192 tokens are as they were, those below one turn 8 times slower */
static void llama(void)
{
	static const char text[] = "{\"model_type\": \"llama\", \"hidden_size\": 4096, \"num_hidden_layers\": 32, \"num_attention_heads\": 32,"
		"\"num_key_value_heads\": 8, \"intermediate_size\": 14336, \"vocab_size\": 128256, \"rope_theta\": 500000.0,"
		"\"max_position_embeddings\": 131072, \"attention_bias\": false, \"mlp_bias\": false, \"rope_scaling\": {\"factor\": 8.0,"
		"\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192, \"rope_type\": \"llama3\"}}";
	float f[64], g[64];
	double plain, turns;
	struct config c;

	accept(text, &c);
	CHECK(c.head_dim == 128 && !c.attention_bias && c.rope.type == ROPE_LLAMA3);
	CHECK_NEAR(rope_frequencies(&c, f), 1, 1e-15);
	CHECK_FLOAT(f[28], pow(500000, -28.0 / 64));                    /* 4.2 turns */
	plain = pow(500000, -32.0 / 64);
	turns = 8192 * plain / (2 * 3.14159265358979323846);            /* 1.84 */
	CHECK_FLOAT(f[32], plain * ((4 - turns) / 3 / 8 + (turns - 1) / 3));
	CHECK_FLOAT(f[35], pow(500000, -35.0 / 64) / 8);                /* 0.995 */
	config_free(&c);
	/* the same in newer files' words */
	accept("{\"model_type\": \"llama\", \"hidden_size\": 4096, \"num_hidden_layers\": 32, \"num_attention_heads\": 32, \"intermediate_size\": 14336,"
	       "\"vocab_size\": 128256, \"mlp_bias\": true, \"rope_parameters\": {\"rope_theta\": 500000.0, \"factor\": 8.0, \"low_freq_factor\": 1.0,"
	       "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192, \"rope_type\": \"llama3\"}}", &c);
	CHECK(c.mlp_bias && c.rope_theta == 500000 && c.max_positions == 2048);
	rope_frequencies(&c, g);
	CHECK_MEM(f, sizeof f, g, sizeof g);
	config_free(&c);
	/* Qwen3's heads are as wide as they say, or 128 */
	accept(with(qwen, "model_type", "\"qwen3\""), &c);
	CHECK_INT(c.head_dim, 128);
	config_free(&c);
}

static void refuse_deepseek(const char *key, const char *value, const char *want)
{
	const char *text = with(deepseek, key, value);
	struct config c;
	struct err e;

	if (config_parse(&c, text, strlen(text), "c", &e) == 0)
		TEST_FAIL("%s = %s was accepted", key, value);
	CHECK_STR(e.msg, want);
	config_free(&c);
}

static void deepseek_v3(void)
{
	struct config c;
	struct buf b = {0};
	float f[32];

	accept(deepseek, &c);
	CHECK(c.latent.q_rank == 1536 && c.latent.kv_rank == 512 && c.latent.nope == 128 && c.latent.rope == 64 && c.latent.value == 128);
	CHECK(c.latent.interleave && !c.attention_bias && c.head_dim == 64 && c.kv_heads == 128);
	CHECK(c.experts.count == 256 && c.experts.top == 8 && c.experts.groups == 8 && c.experts.top_groups == 4 && c.experts.shared == 1);
	CHECK(c.experts.intermediate_size == 2048 && c.experts.dense_layers == 3 && c.experts.normalize && c.experts.scale == 2.5);
	CHECK(c.nextn_layers == 1 && c.fp8_block[0] == 128 && c.fp8_block[1] == 128);
	CHECK(c.rope.type == ROPE_YARN && c.rope.factor == 40 && c.rope.original == 4096 && c.rope.mscale == 1 && c.rope.truncate);
	/* pairs 10 and 23 are where 32 turns and 1 turn over 4096 tokens lie: below, the angles are as they were, above, 1/40 of that */
	CHECK_NEAR(rope_frequencies(&c, f), 1, 1e-15);
	CHECK_FLOAT(f[10], pow(10000, -20.0 / 64));
	CHECK_FLOAT(f[11], pow(10000, -22.0 / 64) * (1 - 1.0 / 13 * (1 - 1.0 / 40)));
	CHECK_FLOAT(f[23], pow(10000, -46.0 / 64) / 40);
	CHECK_NEAR(rope_mscale(40, 1), 1.3688879454113936, 1e-15);
	config_write(&c, &b);
	CHECK(!strstr(b.p, "quantization_config") && strstr(b.p, "\"num_nextn_predict_layers\": 0") && strstr(b.p, "\"mscale_all_dim\": 1.0"));
	config_free(&c);
	buf_free(&b);
	accept(with(deepseek, "q_lora_rank", "null"), &c);
	CHECK_INT(c.latent.q_rank, 0);
	config_free(&c);
	refuse_deepseek("topk_method", "\"greedy\"", "c: 'topk_method' = \"greedy\" is not supported");
	refuse_deepseek("scoring_func", "\"softmax\"", "c: 'scoring_func' = \"softmax\" is not supported");
	refuse_deepseek("moe_layer_freq", "2", "c: 'moe_layer_freq' = 2 is not supported");
	refuse_deepseek("n_group", "7", "c: 'n_routed_experts' 256 do not make 'n_group' 7 groups of two at least");
	refuse_deepseek("topk_group", "9", "c: 'topk_group' 9 is more than 'n_group' 8");
	refuse_deepseek("num_experts_per_tok", "300", "c: 'num_experts_per_tok' 300 is more than 'n_routed_experts' 256");
	refuse_deepseek("num_key_value_heads", "64", "c: 'num_key_value_heads' 64 is not 'num_attention_heads' 128");
	refuse_deepseek("qk_rope_head_dim", "63", "c: a head has 63 dimensions; rotary positions need an even number");
	refuse_deepseek("head_dim", "128", "c: 'head_dim' 128 is not 'qk_rope_head_dim' 64");
	refuse_deepseek("first_k_dense_replace", "-1", "c: 'first_k_dense_replace' is -1, not between 0 and 2147483647");
	refuse_deepseek("hidden_act", "\"gelu\"", "c: 'hidden_act' = \"gelu\" is not supported (only silu)");
}

static void generation(void)
{
	static const char more[] = "{\"bos_token_id\": 5, \"eos_token_id\": [151645, 151643], \"temperature\": 0.7}", bad[] = "{\"eos_token_id\": true}";
	struct config c;
	struct err e;

	accept(qwen, &c);
	CHECK(config_read_generation(&c, more, strlen(more), "generation_config.json", &e) == 0);
	CHECK_INT(c.eos_count, 2);
	CHECK(c.eos[0] == 151645 && c.eos[1] == 151643 && c.bos == 5);
	CHECK(config_read_generation(&c, bad, strlen(bad), "generation_config.json", &e) < 0);
	CHECK_STR(e.msg, "generation_config.json: 'eos_token_id' holds true, not a token id");
	config_free(&c);
}

static void writing(void)
{
	struct config c, copy;
	struct buf a = {0}, b = {0};

	accept(with(qwen, "something_new", "{\"a\": 1.5}"), &c);
	copy = config_copy(&c);
	strcpy(copy.dtype, "float32");
	copy.vocab_size = 512;
	config_write(&c, &a);
	config_free(&c);
	CHECK(strstr(a.p, "\"something_new\": {\n    \"a\": 1.5\n  }"));
	CHECK(strstr(a.p, "\"vocab_size\": 151936\n}\n"));
	CHECK(strstr(a.p, "\"torch_dtype\": \"bfloat16\""));
	CHECK(!strstr(a.p, "head_dim"));        /* what was left to its default still is */
	config_write(&copy, &b);
	config_free(&copy);
	CHECK(strstr(b.p, "\"vocab_size\": 512\n}\n"));
	CHECK(strstr(b.p, "\"torch_dtype\": \"float32\""));
	CHECK(strstr(b.p, "\"transformers_version\": \"4.43.1\""));
	accept(a.p, &c);
	buf_clear(&b);
	config_write(&c, &b);
	CHECK_MEM(a.p, a.n, b.p, b.n);
	config_free(&c);
	buf_free(&a);
	buf_free(&b);
}

int main(void)
{
	reading();
	defaults();
	refused();
	llama();
	harmless();
	windows();
	broken();
	deepseek_v3();
	generation();
	writing();
	return 0;
}
