/* r1-model - make, describe, compare, merge, pack and unpack checkpoints */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/tool.h"
#include "model/create.h"
#include "model/merge.h"
#include "model/package.h"
#include "model/summary.h"
#include "model/tensors.h"
#include "model/trainer.h"

struct options {
	const char *config, *adapter, *tokenizer, *dtype, *output;
	int64_t length, sequences, level;
	double shard_size;
	bool json, stats, force, optimizer;
	const struct tool *tool;
};

struct command {
	const char *name;
	int least, most;                /* arguments */
	bool output;                    /* needs --output */
	const char *takes;              /* options beside the common ones, each with a blank behind it */
	int (*run)(const struct options *o, int n, char **arg, struct err *e);         /* exit code, or -1 and e */
};

static bool may_write(const struct options *o, struct err *e)
{
	if (!file_exists(o->output) || o->force)
		return true;
	err_set(e, "%s: is there already (--force replaces a checkpoint)", o->output);
	return false;
}

static int run_new(const struct options *o, int n, char **arg, struct err *e)
{
	struct config c;
	int rc;

	(void)n, (void)arg;
	if (!o->config)
		return tool_usage(o->tool, "'new' needs --config");
	if (!may_write(o, e))
		return -1;
	rc = config_read(&c, o->config, e);
	if (rc == 0 && o->dtype)
		snprintf(c.dtype, sizeof c.dtype, "%s", o->dtype);
	if (rc == 0)
		rc = model_create(&c, o->output, &(struct create_args){
			.tokenizer = o->tokenizer, .name = o->config, .seed = o->tool->seed, .threads = (int)o->tool->threads,
			.shard_bytes = (int64_t)(1e9 * o->shard_size), .quiet = o->tool->quiet}, e);
	config_free(&c);
	return rc;
}

static void print(void *arg, const char *line)
{
	(void)arg;
	puts(line);
}

static int run_info(const struct options *o, int n, char **arg, struct err *e)
{
	struct buf b = {0};
	int i, rc = 0;

	for (i = 0; rc == 0 && i < n; i++) {
		struct summary s;

		rc = summary_read(&s, arg[i], o->length, o->sequences, e);
		if (rc == 0) {
			if (i && !o->json)
				putchar('\n');
			buf_clear(&b);
			(o->json ? summary_json : summary_text)(&s, &b);
			puts(b.p);
		}
		summary_free(&s);
	}
	buf_free(&b);
	return rc;
}

static int run_list(const struct options *o, int n, char **arg, struct err *e)
{
	struct tensors t;
	int rc = tensors_open(&t, arg[0], e);

	(void)n;
	if (rc == 0)
		rc = tensors_list(&t, o->json, o->stats, print, NULL, e);
	tensors_close(&t);
	return rc;
}

static int run_diff(const struct options *o, int n, char **arg, struct err *e)
{
	struct tensors a = {0}, b = {0};
	int rc = -1;

	(void)n;
	if (tensors_open(&a, arg[0], e) == 0 && tensors_open(&b, arg[1], e) == 0)
		rc = tensors_diff(&a, &b, o->json, print, NULL, e);
	tensors_close(&a);
	tensors_close(&b);
	if (rc >= 0)
		return rc;
	tool_fail(o->tool, e);          /* 1 says that they differ: trouble is 2, as with diff(1) */
	return 2;
}

static int run_merge(const struct options *o, int n, char **arg, struct err *e)
{
	struct backend *be = NULL;
	struct checkpoint *ck;
	struct checkpoint_writer *w;
	int rc = -1;

	(void)n;
	if (!may_write(o, e))
		return -1;
	ck = o->adapter ? checkpoint_open_adapter(o->adapter, arg[0], e) : checkpoint_open(arg[0], e);
	if (!ck)
		return -1;
	w = NULL;
	if (!ck->base)
		err_set(e, "%s: is no adapter; with its base, name it by --adapter", arg[0]);
	else if ((be = backend_open("cpu", (int)o->tool->threads, e)) && (w = checkpoint_begin(o->output, e)))
		rc = model_merge(ck, be, o->dtype, (int64_t)(1e9 * o->shard_size), w, e);
	if (w && rc == 0)
		rc = checkpoint_commit(w, e);
	else
		checkpoint_abandon(w);
	checkpoint_close(ck);
	backend_close(be);
	return rc;
}

static int run_pack(const struct options *o, int n, char **arg, struct err *e)
{
	(void)n;
	return package_pack(arg[0], o->output, (int)o->level, o->optimizer, e);
}

static int run_unpack(const struct options *o, int n, char **arg, struct err *e)
{
	(void)n;
	return may_write(o, e) ? package_unpack(arg[0], o->output, e) : -1;
}

static const struct command commands[] = {
	{"new", 0, 0, true, "config tokenizer dtype shard-size seed threads force output ", run_new},
	{"info", 1, 1 << 20, false, "json length sequences ", run_info},
	{"list", 1, 1, false, "json stats ", run_list},
	{"diff", 2, 2, false, "json ", run_diff},
	{"merge", 1, 1, true, "adapter dtype shard-size threads force output ", run_merge},
	{"pack", 1, 1, true, "output level optimizer ", run_pack},
	{"unpack", 1, 1, true, "output force ", run_unpack},
};

static const char details[] =
	"Commands:\n"
	"  new --config FILE -o DIR      a model with random weights\n"
	"  info MODEL...                 family, size, context, memory that it needs\n"
	"  list MODEL                    its tensors\n"
	"  diff MODEL MODEL              where two differ; 0: nowhere, 1: they do, 2: trouble\n"
	"  merge MODEL -o DIR            a model of an adapter (or --adapter) and its base\n"
	"  pack DIR -o FILE              an archive of it: .tar, .tar.zst, .tar.gz, .tar.xz, .tar.bz2, .zip\n"
	"  unpack FILE -o DIR            a folder of an archive\n"
	"A MODEL is a folder or an archive; for list and diff also a .safetensors file, for info a config.json.";

static int check_usage(const struct tool *t, const struct command *c, const struct opt *opts, const struct options *o, int n)
{
	for (; opts->type != OPT_TYPE_END; opts++) {
		const char *at = opts->given ? strstr(c->takes, opts->name) : c->takes;

		if (opts->given && strcmp(opts->name, "quiet") != 0 && strcmp(opts->name, "verbose") != 0 &&
		    (!at || at[strlen(opts->name)] != ' '))
			return tool_usage(t, "option '--%s' means nothing to '%s'", opts->name, c->name);
	}
	if (n < c->least)
		return tool_usage(t, "'%s' needs %s", c->name, c->least == 2 ? "two models" : "a name");
	if (n > c->most)
		return tool_usage(t, "'%s' has too many arguments", c->name);
	if (c->output && !o->output)
		return tool_usage(t, "'%s' needs --output", c->name);
	return 0;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-model", .usage = "COMMAND [OPTION]... [ARGUMENT]...",
			 .summary = "Make, describe, compare, merge, pack and unpack checkpoints", .details = details};
	struct options o = {.sequences = 16, .shard_size = MODEL_SHARD_GB, .optimizer = true, .tool = &t};
	struct opt opts[] = {
		OPT_HEADING("new, merge"),
		{"config", 'c', OPT_STRING, &o.config, "FILE", "config.json that says the family and the sizes"},
		{"tokenizer", 't', OPT_STRING, &o.tokenizer, "FILE", "tokenizer.json, or a folder whose tokenizer and template are taken"},
		{"dtype", 0, OPT_CHOICE, &o.dtype, "float32|bfloat16|float16", "what weights are stored as, if not the config's torch_dtype"},
		TRAINER_SHARD_SIZE(&o.shard_size),
		{"adapter", 0, OPT_STRING, &o.adapter, "DIR", "adapter whose base is the model (merge)"},
		TOOL_OPTIONS_SEED(&t),
		{"threads", 0, OPT_INT, &t.threads, "N", "threads to compute with; 0: one for each core", 0, 4096},
		OPT_HEADING("new, merge, pack, unpack"),
		{"output", 'o', OPT_STRING, &o.output, "PATH", "what is to be written"},
		{"force", 'f', OPT_FLAG, &o.force, NULL, "replace a checkpoint that is there (new, merge, unpack)"},
		{"optimizer", 0, OPT_FLAG, &o.optimizer, NULL, "pack what only training needs, too"},
		{"level", 0, OPT_INT, &o.level, "N", "compression; 0: the format's usual one", 0, 22},
		OPT_HEADING("info, list, diff"),
		{"json", 0, OPT_FLAG, &o.json, NULL, "one JSON object a line instead of text"},
		{"length", 'l', OPT_INT, &o.length, "TOKENS", "memory for sequences of that many; 0: the context, up to 4096", 0, 1 << 30},
		{"sequences", 'n', OPT_INT, &o.sequences, "N", "memory to sample so many at once", 1, 1 << 20},
		{"stats", 0, OPT_FLAG, &o.stats, NULL, "mean, deviation and range of each tensor (list)"},
		OPT_HEADING("Common"),
		{"quiet", 'q', OPT_FLAG, &t.quiet, NULL, "no progress and no summary"},
		OPT_END};
	const struct command *c = commands, *end = commands + sizeof commands / sizeof *commands;
	int rc = tool_begin(&t, opts, &argc, &argv), code;
	struct err e = {""};

	if (rc >= 0)
		return rc;
	if (!argc)
		return tool_usage(&t, "no command");
	while (c < end && strcmp(c->name, argv[0]) != 0)
		c++;
	if (c == end)
		return tool_usage(&t, "unknown command '%s'", argv[0]);
	rc = check_usage(&t, c, opts, &o, argc - 1);
	if (rc)
		return rc;
	rc = c->run(&o, argc - 1, argv + 1, &e);
	if (rc < 0)
		return tool_fail(&t, &e);
	code = tool_end(&t);
	return code ? code : rc;
}
