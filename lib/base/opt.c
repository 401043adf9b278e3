#include "base/opt.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

int opt_int(const char *text, int64_t min, int64_t max, int64_t *value, struct err *e)
{
	char *end;
	long long x;

	errno = 0;
	x = strtoll(text, &end, 10);
	if (!*text || *end || strchr(" \t\n", *text))
		return err_set(e, "'%s' is not a whole number", text);
	if (errno || x < min || x > max)
		return err_set(e, "%s is not between %lld and %lld", text, (long long)min, (long long)max);
	*value = x;
	return 0;
}

int opt_float(const char *text, double min, double max, double *value, struct err *e)
{
	char *end;
	double x = strtod(text, &end);

	if (!*text || *end || strchr(" \t\n", *text))
		return err_set(e, "'%s' is not a number", text);
	if (!isfinite(x))
		return err_set(e, "%s is not a finite number", text);
	if (x < min || x > max)
		return err_set(e, "%s is not between %g and %g", text, min, max);
	*value = x;
	return 0;
}

static int choice(const char *text, struct opt *o, struct err *e)
{
	const char *p = o->arg;
	size_t n = strlen(text);

	while (*p) {
		size_t len = strcspn(p, "|");

		if (len == n && !memcmp(p, text, n)) {
			*(const char **)o->value = text;
			return 0;
		}
		p += len + (p[len] == '|');
	}
	return err_set(e, "'%s' is none of %s", text, o->arg);
}

static int set(struct opt *o, const char *text, struct err *e)
{
	bool bounded = o->min != 0 || o->max != 0;
	char *end;

	o->given = true;
	switch (o->type) {
	case OPT_INT:
		return opt_int(text, bounded ? (int64_t)o->min : INT64_MIN, bounded ? (int64_t)o->max : INT64_MAX, o->value, e);
	case OPT_UINT:
		errno = 0;
		*(uint64_t *)o->value = strtoull(text, &end, 10);
		if (!*text || *end || errno || !strchr("0123456789", *text))
			return err_set(e, "'%s' is not a whole number from 0 to 2^64-1", text);
		return 0;
	case OPT_FLOAT:
		return opt_float(text, bounded ? o->min : -HUGE_VAL, bounded ? o->max : HUGE_VAL, o->value, e);
	case OPT_STRING:
		*(const char **)o->value = text;
		return 0;
	case OPT_LIST: {
		struct opt_list *l = o->value;

		l->item = xgrow(l->item, &l->cap, l->n + 1, sizeof *l->item);
		l->item[l->n++] = text;
		return 0;
	}
	case OPT_CHOICE:
		return choice(text, o, e);
	default:
		return 0;
	}
}

static struct opt *find_long(struct opt *opts, const char *name, size_t n, struct err *e)
{
	struct opt *o, *found = NULL;

	for (o = opts; o->type != OPT_TYPE_END; o++) {
		if (!o->name || strncmp(o->name, name, n) != 0)
			continue;
		if (!o->name[n])
			return o;
		if (found) {
			err_set(e, "option '--%.*s' could be '--%s' or '--%s'", (int)n, name, found->name, o->name);
			return NULL;
		}
		found = o;
	}
	if (!found)
		err_set(e, "unknown option '--%.*s'", (int)n, name);
	return found;
}

static int parse_long(struct opt *opts, int *i, int argc, char **argv, struct err *e)
{
	const char *name = argv[*i] + 2, *text = NULL;
	size_t n = strcspn(name, "=");
	struct opt *o;
	bool off = false;

	if (name[n] == '=')
		text = name + n + 1;
	o = find_long(opts, name, n, e);
	if (!o && n > 3 && !strncmp(name, "no-", 3)) {
		struct err ignored;

		o = find_long(opts, name + 3, n - 3, &ignored);
		if (o && o->type == OPT_FLAG)
			off = true;
		else
			o = NULL;
	}
	if (!o)
		return -1;
	if (o->type == OPT_FLAG) {
		if (text)
			return err_set(e, "option '--%s' takes no value", o->name);
		o->given = true;
		*(bool *)o->value = !off;
		return 0;
	}
	if (!text) {
		if (*i + 1 >= argc)
			return err_set(e, "option '--%s' needs a value", o->name);
		text = argv[++*i];
	}
	if (set(o, text, e) < 0)
		return err_prefix(e, "option '--%s'", o->name);
	return 0;
}

static int parse_short(struct opt *opts, int *i, int argc, char **argv, struct err *e)
{
	const char *p = argv[*i] + 1;

	while (*p) {
		struct opt *o = opts;

		while (o->type != OPT_TYPE_END && (!o->key || o->key != *p))
			o++;
		if (o->type == OPT_TYPE_END)
			return err_set(e, "unknown option '-%c'", *p);
		p++;
		if (o->type == OPT_FLAG) {
			o->given = true;
			*(bool *)o->value = true;
			continue;
		}
		if (!*p) {
			if (*i + 1 >= argc)
				return err_set(e, "option '-%c' needs a value", o->key);
			p = argv[++*i];
		}
		if (set(o, p, e) < 0)
			return err_prefix(e, "option '-%c'", o->key);
		break;
	}
	return 0;
}

enum opt_result opt_parse(struct opt *opts, int *argc, char ***argv, struct err *e)
{
	char **v = *argv;
	int i, files = 1;
	bool ended = false;

	for (i = 1; i < *argc; i++) {
		if (ended || v[i][0] != '-' || !v[i][1]) {
			v[files++] = v[i];
		} else if (!strcmp(v[i], "--")) {
			ended = true;
		} else if (!strcmp(v[i], "--help")) {
			return OPT_SHOW_HELP;
		} else if (!strcmp(v[i], "--version")) {
			return OPT_SHOW_VERSION;
		} else if (v[i][1] == '-' ? parse_long(opts, &i, *argc, v, e) < 0 : parse_short(opts, &i, *argc, v, e) < 0) {
			return OPT_BAD;
		}
	}
	*argc = files - 1;
	*argv = v + 1;
	return OPT_OK;
}

static void show_default(const struct opt *o, FILE *to)
{
	switch (o->type) {
	case OPT_INT:
		fprintf(to, " [%lld]", (long long)*(int64_t *)o->value);
		break;
	case OPT_UINT:
		fprintf(to, " [%llu]", (unsigned long long)*(uint64_t *)o->value);
		break;
	case OPT_FLOAT:
		fprintf(to, " [%g]", *(double *)o->value);
		break;
	case OPT_FLAG:
		if (*(bool *)o->value)
			fprintf(to, " [on; --no-%s]", o->name);
		break;
	case OPT_STRING:
	case OPT_CHOICE:
		if (*(const char **)o->value)
			fprintf(to, " [%s]", *(const char **)o->value);
		break;
	default:
		break;
	}
}

void opt_help(const struct opt_command *cmd, const struct opt *opts, FILE *to)
{
	const struct opt *o;

	fprintf(to, "usage: %s %s\n%s.\n", cmd->name, cmd->usage, cmd->summary);
	for (o = opts; o->type != OPT_TYPE_END; o++) {
		char left[128];

		if (o->type == OPT_TYPE_HEADING) {
			fprintf(to, "\n%s:\n", o->help);
			continue;
		}
		snprintf(left, sizeof left, "  %c%c%s --%s%s%s", o->key ? '-' : ' ', o->key ? o->key : ' ', o->key ? "," : " ", o->name,
			 o->arg ? " " : "", o->arg ? o->arg : "");
		fprintf(to, strlen(left) < 32 ? "%-32s" : "%s\n                                ", left);
		fputs(o->help, to);
		show_default(o, to);
		fputc('\n', to);
	}
	if (cmd->details)
		fprintf(to, "\n%s\n", cmd->details);
}

bool opt_given(const struct opt *opts, const char *name)
{
	for (; opts->type != OPT_TYPE_END; opts++)
		if (opts->name && !strcmp(opts->name, name))
			return opts->given;
	return false;
}

static uint64_t hash_value(const struct opt *o)
{
	const struct opt_list *list = o->value;
	uint64_t h = hash_str(o->name);
	size_t i;

	switch (o->type) {
	case OPT_FLAG:
		return hash_mix(h, *(const bool *)o->value);
	case OPT_INT:
		return hash_mix(h, (uint64_t)*(const int64_t *)o->value);
	case OPT_UINT:
		return hash_mix(h, *(const uint64_t *)o->value);
	case OPT_FLOAT:
		return hash_mix(h, hash_bytes(o->value, sizeof(double)));
	case OPT_LIST:
		for (i = 0; i < list->n; i++)
			h = hash_mix(h, hash_str(list->item[i]));
		return h;
	default:
		return *(const char *const *)o->value ? hash_mix(h, hash_str(*(const char *const *)o->value)) : h;
	}
}

uint64_t opt_hash(const struct opt *opts, const char *const *but)
{
	uint64_t h = 0;
	size_t i;

	for (; opts->type != OPT_TYPE_END; opts++) {
		for (i = 0; opts->name && but[i] && strcmp(but[i], opts->name) != 0; i++)
			;
		if (opts->name && !but[i])
			h = hash_mix(h, hash_value(opts));
	}
	return h;
}
