#include "task/plugin.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

size_t spec_name(const char *text)
{
	return strcspn(text, ":,");
}

bool spec_is(const char *text, const char *name)
{
	size_t n = spec_name(text);

	return strlen(name) == n && !memcmp(text, name, n);
}

static int choose(const char *words, char *text, const char **value, struct err *e)
{
	size_t n = strlen(text);
	const char *p = words;

	while (*p) {
		size_t len = strcspn(p, "|");

		if (len == n && !memcmp(p, text, n)) {
			*value = text;
			return 0;
		}
		p += len + (p[len] == '|');
	}
	return err_set(e, "'%s' is none of %s", text, words);
}

static int set(const struct param *p, char *text, void *options, struct err *e)
{
	void *to = (char *)options + p->offset;
	bool bounded = p->min != 0 || p->max != 0;

	switch (p->type) {
	case OPT_INT:
		return opt_int(text, bounded ? (int64_t)p->min : INT64_MIN, bounded ? (int64_t)p->max : INT64_MAX, to, e);
	case OPT_FLOAT:
		return opt_float(text, bounded ? p->min : -1e308, bounded ? p->max : 1e308, to, e);
	case OPT_CHOICE:
		return choose(p->arg, text, to, e);
	case OPT_FLAG:
		if (strcmp(text, "yes") && strcmp(text, "no"))
			return err_set(e, "'%s' is neither yes nor no", text);
		*(bool *)to = !strcmp(text, "yes");
		return 0;
	default:
		*(const char **)to = text;
		return 0;
	}
}

/* The end of the value that starts at p: the comma in front of the next piece that has a '=', or the end of the text. */
static char *value_end(char *p)
{
	for (;;) {
		char *comma = strchr(p, ',');

		if (!comma)
			return p + strlen(p);
		p = comma + 1;
		if (p[strcspn(p, ",=")] == '=')
			return comma;
	}
}

static int parse_options(struct spec *s, char *p, const struct plugin *about, bool weighted, struct err *e)
{
	do {
		char *name = p, *eq = strchr(p, '='), *end;
		const struct param *param = about->params;

		if (!eq)
			return err_set(e, "'%s' should be OPTION=VALUE", name);
		end = value_end(eq + 1);
		p = *end ? end + 1 : end;
		*eq = *end = 0;
		if (weighted && !strcmp(name, "as")) {
			free(s->as);
			s->as = xstrdup(eq + 1);
			s->named = true;
			continue;
		}
		while (param && param->name && strcmp(param->name, name))
			param++;
		if (!param || !param->name)
			return err_set(e, "there is no option '%s'", name);
		if (set(param, eq + 1, s->options, e) < 0)
			return err_prefix(e, "option '%s'", name);
	} while (*p);
	return 0;
}

int spec_parse(struct spec *s, const char *text, const struct plugin *p, bool weighted, struct err *e)
{
	char *at;

	*s = (struct spec){.text = xstrdup(text), .weight = 1, .options = xmalloc(p->size ? p->size : 1)};
	if (p->size)
		memcpy(s->options, p->defaults, p->size);
	at = s->text + spec_name(text);
	s->as = xstrndup(text, spec_name(text));
	if (*at == ':') {
		char *weight = at + 1, end;

		at = weight + strcspn(weight, ",");
		end = *at;
		*at = 0;
		if (!weighted) {
			err_set(e, "a weight means nothing here");
			goto bad;
		}
		if (opt_float(weight, -1e30, 1e30, &s->weight, e) < 0) {
			err_prefix(e, "weight");
			goto bad;
		}
		*at = end;
	}
	if (*at && parse_options(s, at + 1, p, weighted, e) < 0)
		goto bad;
	if (!*s->as) {
		err_set(e, "as= needs a name");
		goto bad;
	}
	if (!p->check || p->check(s->options, e) == 0)
		return 0;
bad:
	err_prefix(e, "%s", p->name);
	spec_free(s);
	return -1;
}

void spec_free(struct spec *s)
{
	free(s->text);
	free(s->as);
	free(s->options);
	*s = (struct spec){0};
}

static void show_default(struct buf *to, const struct param *p, const void *defaults)
{
	const void *at = (const char *)defaults + p->offset;
	const char *text;

	switch (p->type) {
	case OPT_INT:
		if ((double)*(const int64_t *)at >= p->min)     /* less: it must be given */
			buf_printf(to, " [%lld]", (long long)*(const int64_t *)at);
		break;
	case OPT_FLOAT:
		buf_printf(to, " [%g]", *(const double *)at);
		break;
	case OPT_FLAG:
		buf_printf(to, " [%s]", *(const bool *)at ? "yes" : "no");
		break;
	default:
		text = *(const char *const *)at;
		if (text && *text)
			buf_printf(to, " [%s]", text);
	}
}

void plugin_help(struct buf *to, const struct plugin *p)
{
	const struct param *q;

	buf_printf(to, "  %-14s %s\n", p->name, p->help);
	for (q = p->params; q && q->name; q++) {
		buf_printf(to, "  %-14s   %s=%s: %s", "", q->name, q->arg, q->help);
		show_default(to, q, p->defaults);
		buf_char(to, '\n');
	}
}
