/* plugin.h - what rewards, verifiers, filters and advantage estimators have in common: a name, a line of help, options of their own
 *
 * A plug-in is named on the command line by a spec, NAME[:WEIGHT][,OPTION=VALUE]...:
 *
 *     --reward accuracy:1 --reward length:0.2,max=256,buffer=64
 *     --filter pass-rate,min=0.1,max=0.9
 *
 * A piece between commas that holds no '=' goes on with the value before it, so that lists need no quotes: extract=answer,boxed.
 *
 *     struct spec s;
 *     size_t n = spec_name(text);                             // of the name at its start
 *     if (spec_parse(&s, text, &r->about, true, &e) < 0) ...
 *     r->score(s.options, ...);                               // a struct of r's own type, defaults and values filled in
 *     spec_free(&s);
 *
 * A plug-in is one file with a const struct at its end, which the Makefile finds; its options are a struct with an instance for
 * the defaults and a table of parameters:
 *
 *     struct options { int64_t max; };
 *     static const struct param params[] = {{"max", OPT_INT, offsetof(struct options, max), "N", "longest length", 1, 1e9}, PARAM_END};
 */
#ifndef TASK_PLUGIN_H
#define TASK_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"

struct param {
	const char *name;
	enum opt_type type;     /* OPT_INT int64_t, OPT_FLOAT double, OPT_STRING and OPT_CHOICE const char *, OPT_FLAG bool (yes, no) */
	size_t offset;          /* into the options */
	const char *arg, *help; /* as in struct opt */
	double min, max;        /* both 0: any */
};
#define PARAM_END {.name = NULL}

struct plugin {
	const char *name, *help;
	const struct param *params;     /* may be NULL */
	const void *defaults;           /* the options' first value, of `size` bytes */
	size_t size;
	/* May be NULL: looks at options as a whole (what is missing, what contradicts). */
	int (*check)(void *options, struct err *e);
};

struct spec {
	char *text;             /* what string options point into */
	char *as;               /* the name to write under: the plug-in's, or that of as=NAME */
	bool named;             /* as=NAME was given */
	double weight;          /* 1 if none was given */
	void *options;
};

size_t spec_name(const char *text);                                             /* bytes of the name that text begins with */
bool spec_is(const char *text, const char *name);                               /* is it that name? */
/* weighted: NAME:WEIGHT and the option as=NAME are allowed. */
int spec_parse(struct spec *s, const char *text, const struct plugin *p, bool weighted, struct err *e);
void spec_free(struct spec *s);

/* Lines for --help: the name, what it does, its options with their defaults. */
void plugin_help(struct buf *to, const struct plugin *p);

#endif
