#include "request.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"

#define MIB ((int64_t)1 << 20)
#define SAVED_ROOM ((size_t)256 << 20)

struct saved {
	void *p;                        /* NULL: gone */
	size_t n;
};

struct requests {
	struct run defaults;
	struct map names;               /* into saved */
	struct saved *saved;
	size_t n, cap, oldest, bytes;
};

/* One run of a record: what the arrays of struct run point to */
struct asked {
	const char **command, **env, **keep;
	struct run_file *file;
	const char **save;              /* (keeps) the name to save under, or NULL */
	struct buf texts;               /* "NAME=VALUE" of env, NUL behind each */
};

struct requests *requests_new(const struct run *defaults)
{
	struct requests *q = xcalloc(1, sizeof *q);

	q->defaults = *defaults;
	return q;
}

void requests_free(struct requests *q)
{
	size_t i;

	if (!q)
		return;
	for (i = 0; i < q->n; i++)
		free(q->saved[i].p);
	free(q->saved);
	map_free(&q->names);
	free(q);
}

static void asked_free(struct asked *a)
{
	free(a->command);
	free(a->env);
	free(a->keep);
	free(a->save);
	free(a->file);
	buf_free(&a->texts);
}

/* ---- reading ---- */

/* Fields of the record itself, or of its `peer` */
struct fields {
	struct record *r;
	const struct js *peer;
};

/* *to is NULL where there is none. -1: one that cannot be decoded, which is not taken for one that is not there */
static int field(const struct fields *f, const char *name, const struct js **to, struct err *e)
{
	*to = f->peer ? js_get(f->peer, name) : NULL;
	return !f->peer && record_has(f->r, name) && !(*to = record_js(f->r, name, e)) ? -1 : 0;
}

static int bad(const struct fields *f, struct err *e, const char *name, const char *what, const struct js *seen)
{
	return record_error(f->r, e, "'%s%s' is %s, not %s", f->peer ? "peer." : "", name, js_type(seen), what);
}

/* A text field: NULL with *n 0 where there is none. */
static int text(const struct fields *f, const char *name, const char **s, size_t *n, struct err *e)
{
	const struct js *j;

	*s = NULL;
	*n = 0;
	if (!f->peer) {
		if (record_has(f->r, name) && !(*s = record_string(f->r, name, n, e)))
			return -1;
		return 0;
	}
	j = js_get(f->peer, name);
	if (j && !js_is_null(j) && !(*s = js_string(j, n)))
		return bad(f, e, name, "a string", j);
	return 0;
}

static int strings(const struct fields *f, const char *name, const char ***to, size_t *n, struct err *e)
{
	const struct js *j;
	size_t i;

	*n = 0;
	if (field(f, name, &j, e) < 0)
		return -1;
	if (j && !js_is_array(j))
		return bad(f, e, name, "an array of strings", j);
	*to = xcalloc(js_size(j) + 1, sizeof **to);
	for (i = 0; i < js_size(j); i++) {
		size_t len;

		(*to)[i] = js_string(js_at(j, i), &len);
		if (!(*to)[i] || strlen((*to)[i]) != len)
			return record_error(f->r, e, "'%s%s' holds what is no string, or one with a NUL", f->peer ? "peer." : "", name);
	}
	*n = i;
	return 0;
}

static int read_limits(const struct fields *f, struct run *run, struct err *e)
{
	struct jail_limits *l = &run->limits;
	const struct {
		const char *name;
		double *seconds;
		int64_t *whole, unit;
	} known[] = {
		{"cpu", &l->cpu, NULL, 0}, {"wall", &l->wall, NULL, 0}, {"memory", NULL, &l->memory, MIB}, {"disk", NULL, &l->disk, MIB},
		{"files", NULL, &l->inodes, 1}, {"file_size", NULL, &l->file, MIB}, {"stack", NULL, &l->stack, MIB},
		{"processes", NULL, &l->processes, 1}, {"descriptors", NULL, &l->descriptors, 1}, {"output", NULL, &run->output, MIB}};
	const struct js *j;
	struct js_iter it;
	bool wall = false, cpu = false;

	if (field(f, "limits", &j, e) < 0)
		return -1;
	if (!j)
		return 0;
	if (!js_is_object(j))
		return bad(f, e, "limits", "an object", j);
	for (it = js_each(j); js_next(&it);) {
		double x = js_number(it.value);
		size_t i;

		for (i = 0; i < sizeof known / sizeof *known && strcmp(known[i].name, it.key); i++)
			;
		if (i == sizeof known / sizeof *known)
			return record_error(f->r, e, "there is no limit '%s'", it.key);
		if (!js_is_number(it.value) || !(x > 0) || x > 1e12)
			return record_error(f->r, e, "the limit '%s' is no positive number", it.key);
		if (known[i].seconds)
			*known[i].seconds = x;
		else
			*known[i].whole = x * (double)known[i].unit < 1 ? 1 : (int64_t)(x * (double)known[i].unit);
		wall |= !strcmp(it.key, "wall");
		cpu |= !strcmp(it.key, "cpu");
	}
	if (cpu && !wall)
		l->wall = 2 * l->cpu + 1;
	if (l->descriptors < 32)
		l->descriptors = 32;    /* init needs some of them until it is the program */
	return 0;
}

static int read_env(const struct fields *f, struct asked *a, struct run *run, struct err *e)
{
	const struct js *j;
	struct js_iter it;
	size_t n = 0;
	char *at;

	if (field(f, "env", &j, e) < 0)
		return -1;
	if (j && !js_is_object(j))
		return bad(f, e, "env", "an object", j);
	for (it = js_each(j); j && js_next(&it);) {
		const char *value = js_string(it.value, NULL);

		if (!value || strchr(it.key, '=') || !*it.key)
			return record_error(f->r, e, "'env' holds what is no name and string");
		buf_printf(&a->texts, "%s=%s", it.key, value);
		buf_char(&a->texts, 0);
	}
	a->env = xcalloc(js_size(j) + 1, sizeof *a->env);
	for (at = a->texts.p; at && at < a->texts.p + a->texts.n; at += strlen(at) + 1)
		a->env[n++] = at;
	run->env = a->env;
	return 0;
}

static const struct saved *find_saved(const struct requests *q, const char *name)
{
	const int64_t *i = map_get(&q->names, name, strlen(name));

	return i && *i && q->saved[*i - 1].p ? &q->saved[*i - 1] : NULL;
}

/* files: NAME -> text. load: NAME -> what it was saved as; *missing is set where that is no more. */
static int read_files(struct requests *q, const struct fields *f, struct asked *a, struct run *run, const char **missing, struct err *e)
{
	const struct js *files, *load;
	struct js_iter it;

	if (field(f, "files", &files, e) < 0 || field(f, "load", &load, e) < 0)
		return -1;
	if (files && !js_is_object(files))
		return bad(f, e, "files", "an object", files);
	if (load && !js_is_object(load))
		return bad(f, e, "load", "an object", load);
	a->file = xcalloc(js_size(files) + js_size(load) + 1, sizeof *a->file);
	for (it = js_each(files); files && js_next(&it);) {
		struct run_file *to = &a->file[run->files++];

		*to = (struct run_file){.name = it.key, .mode = 0644};
		to->p = js_string(it.value, &to->n);
		if (!to->p || !run_name_ok(it.key))
			return record_error(f->r, e, "'files' holds '%s', which is no %s", it.key, to->p ? "clean relative name" : "text");
	}
	for (it = js_each(load); load && js_next(&it);) {
		const char *name = js_string(it.value, NULL);
		const struct saved *s = name ? find_saved(q, name) : NULL;

		if (!name || !run_name_ok(it.key))
			return record_error(f->r, e, "'load' holds '%s', which is no clean relative name with a string", it.key);
		if (!s)
			*missing = name;
		else
			a->file[run->files++] = (struct run_file){it.key, s->p, s->n, 0755};
	}
	run->file = a->file;
	return 0;
}

static int read_kept(const struct fields *f, struct asked *a, struct run *run, struct err *e)
{
	const struct js *save;
	struct js_iter it;
	size_t i, n;

	if (field(f, "save", &save, e) < 0)
		return -1;
	if (save && !js_is_object(save))
		return bad(f, e, "save", "an object", save);
	if (strings(f, "keep", &a->keep, &n, e) < 0)
		return -1;
	a->keep = xrealloc(a->keep, (n + js_size(save) + 1) * sizeof *a->keep);
	a->save = xcalloc(n + js_size(save) + 1, sizeof *a->save);
	for (it = js_each(save); save && js_next(&it);) {
		a->keep[n] = it.key;
		a->save[n] = js_string(it.value, NULL);
		if (!a->save[n++])
			return record_error(f->r, e, "'save' holds '%s', which is no string", it.key);
	}
	for (i = 0; i < n; i++)
		if (!run_name_ok(a->keep[i]) || strchr(a->keep[i], '/'))
			return record_error(f->r, e, "'%s' cannot be kept: only a file of the box's own folder, by its name", a->keep[i]);
	run->keep = a->keep;
	run->keeps = n;
	return 0;
}

static int read_run(struct requests *q, const struct fields *f, struct asked *a, struct run *run, const char **missing, struct err *e)
{
	const char *in, *tree;
	size_t in_n, n;

	*run = q->defaults;
	if (strings(f, "command", &a->command, &n, e) < 0)
		return -1;
	if (!n)
		return record_error(f->r, e, "'%scommand' is missing or empty", f->peer ? "peer." : "");
	run->command = a->command;
	if (text(f, "stdin", &in, &in_n, e) < 0 || text(f, "tree", &tree, &n, e) < 0 || read_limits(f, run, e) < 0 || read_env(f, a, run, e) < 0 ||
	    read_files(q, f, a, run, missing, e) < 0 || read_kept(f, a, run, e) < 0)
		return -1;
	run->in = in;
	run->in_n = in_n;
	run->tree = tree;
	return 0;
}

/* ---- answering ---- */

static double micro(double seconds)
{
	return floor(seconds * 1e6 + 0.5) / 1e6;
}

static const char *signal_name(const struct run *run)
{
	const char *name = run->status >= 0 && WIFSIGNALED(run->status) ? sigabbrev_np(WTERMSIG(run->status)) : NULL;

	return run->status >= 0 && WIFSIGNALED(run->status) && !name ? "RT" : name;
}

static void add(struct js *to, const char *name, struct js *value)
{
	js_set(to, name, value);
}

static void *contents(int fd, size_t *n)
{
	struct stat st;
	char *p;
	size_t at = 0;
	ssize_t k;

	*n = 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	p = xmalloc((size_t)st.st_size + 1);
	while (at < (size_t)st.st_size && (k = pread(fd, p + at, (size_t)st.st_size - at, (off_t)at)) > 0)
		at += (size_t)k;
	p[at] = 0;
	*n = at;
	return p;
}

static struct js *kept(const struct run *run, const struct asked *a)
{
	struct js *o = js_object();
	size_t i;

	for (i = 0; i < run->keeps; i++) {
		size_t n;
		char *p;

		if (a && a->save[i]) {
			js_set(o, run->keep[i], js_new_bool(run->kept[i] >= 0));
			continue;
		}
		p = contents(run->kept[i], &n);
		js_set(o, run->keep[i], p ? js_new_string(p, n) : js_new_null());
		free(p);
	}
	return o;
}

static struct js *answer(const struct run *run, const struct asked *a)
{
	struct js *o = js_object();
	const char *sig = signal_name(run);

	add(o, "verdict", js_new_str(run->verdict));
	add(o, "exit", run->status >= 0 && WIFEXITED(run->status) ? js_new_int(WEXITSTATUS(run->status)) : js_new_null());
	add(o, "signal", sig ? js_new_str(sig) : js_new_null());
	add(o, "cpu", js_new_number(micro(run->cpu)));
	add(o, "wall", js_new_number(micro(run->wall)));
	add(o, "memory", js_new_int(run->memory));
	if (run->out_fd < 0)
		add(o, "stdout", js_new_string(run->out.n ? run->out.p : "", run->out.n));
	if (run->err_fd < 0)
		add(o, "stderr", js_new_string(run->err.n ? run->err.p : "", run->err.n));
	add(o, "reason", js_new_str(run->why));
	if (run->keeps && run->kept)
		add(o, "kept", kept(run, a));
	return o;
}

static void set_all(struct record *r, const struct js *o)
{
	struct js_iter it;

	for (it = js_each(o); js_next(&it);)
		record_set_js(r, it.key, it.value);
}

void request_answer(struct record *r, const struct run *run)
{
	struct js *o = answer(run, NULL);

	set_all(r, o);
	js_free(o);
}

/* ---- saved files ---- */

static void save(struct requests *q, const char *name, int fd)
{
	struct saved s = {0};
	int64_t *at;

	s.p = contents(fd, &s.n);
	if (!s.p)
		return;
	q->saved = xgrow(q->saved, &q->cap, q->n + 1, sizeof *q->saved);
	at = map_put(&q->names, name, strlen(name));
	if (*at) {
		q->bytes -= q->saved[*at - 1].n;
		free(q->saved[*at - 1].p);
		q->saved[*at - 1] = (struct saved){0};
	}
	q->saved[q->n++] = s;
	*at = (int64_t)q->n;
	for (q->bytes += s.n; q->bytes > SAVED_ROOM && q->oldest + 1 < q->n; q->oldest++) {
		struct saved *old = &q->saved[q->oldest];

		q->bytes -= old->n;
		free(old->p);
		*old = (struct saved){0};
	}
}

static void drop_fields(struct record *r)
{
	static const char *const asked[] = {"command", "files", "stdin", "env", "limits", "tree", "keep", "save", "load", "peer"};
	size_t i;

	for (i = 0; i < sizeof asked / sizeof *asked; i++)
		record_remove(r, asked[i]);
}

int requests_serve(struct requests *q, struct server *s, struct record *r, int watched, bool brief, bool *fatal, struct err *e)
{
	const bool two = record_has(r, "peer");
	const struct js *peer = two ? record_js(r, "peer", e) : NULL;
	struct fields f[2] = {{.r = r}, {.r = r, .peer = peer}};
	struct asked a[2] = {{0}};
	struct run run[2] = {run_new(), run_new()};
	const char *missing = NULL;
	size_t n = two ? 2 : 1, i, k;
	int rc = two && !peer ? -1 : 0;

	*fatal = false;
	for (i = 0; rc == 0 && i < n; i++)
		rc = read_run(q, &f[i], &a[i], &run[i], &missing, e);
	if (rc == 0 && missing) {
		snprintf(run[0].why, sizeof run[0].why, "nothing is saved as '%.100s'", missing);
		run[0].keeps = 0;
		n = 1;
	} else if (rc == 0) {
		rc = server_run(s, run, n, watched, e);
		*fatal = rc < 0;
	}
	if (rc == 0) {
		struct js *o[2] = {answer(&run[0], &a[0]), n > 1 ? answer(&run[1], &a[1]) : NULL};

		if (o[1])
			js_set(o[0], "peer", o[1]);
		for (i = 0; i < n; i++)
			for (k = 0; k < run[i].keeps; k++)
				if (a[i].save[k])
					save(q, a[i].save[k], run[i].kept[k]);
		if (brief)
			drop_fields(r);
		set_all(r, o[0]);
		js_free(o[0]);
	}
	for (i = 0; i < 2; i++) {
		run_free(&run[i]);
		asked_free(&a[i]);
	}
	return rc;
}
