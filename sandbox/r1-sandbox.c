/* r1-sandbox - run untrusted programs */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "request.h"

#define MIB ((int64_t)1 << 20)

struct options {
	double cpu, wall;
	int64_t memory, disk, files, file_size, stack, processes, descriptors, output;  /* MiB where they are sizes */
	struct opt_list put, keep, env, show;
	const char *tree, *out, *err;
	bool records, brief, check, unsafe, no_cgroup, fresh;
};

static void usual_limits(struct options *o)
{
	struct run r = run_new();
	const struct jail_limits *l = &r.limits;

	*o = (struct options){.cpu = l->cpu, .wall = l->wall, .memory = l->memory / MIB, .disk = l->disk / MIB, .files = l->inodes,
		.file_size = l->file / MIB, .stack = l->stack / MIB, .processes = l->processes, .descriptors = l->descriptors,
		.output = r.output / MIB};
}

static struct run asked_limits(const struct options *o)
{
	struct run r = run_new();

	r.limits = (struct jail_limits){.cpu = o->cpu, .wall = o->wall, .memory = o->memory * MIB, .disk = o->disk * MIB, .inodes = o->files,
		.file = o->file_size * MIB, .stack = o->stack * MIB, .processes = o->processes, .descriptors = o->descriptors};
	r.output = o->output * MIB;
	return r;
}

/* ---- one command ---- */

static int read_puts(const struct options *o, struct run *r, struct run_file *file, struct buf *data, struct err *e)
{
	size_t i;

	for (i = 0; i < o->put.n; i++) {
		const char *path = o->put.item[i], *slash = strrchr(path, '/');
		struct stat st;

		file[i].name = slash ? slash + 1 : path;
		if (file_read(path, &data[i], e) < 0)
			return -1;
		if (!run_name_ok(file[i].name))
			return err_set(e, "%s: no file's name", path);
		file[i].p = data[i].n ? data[i].p : "";
		file[i].n = data[i].n;
		file[i].mode = stat(path, &st) == 0 && st.st_mode & 0111 ? 0755 : 0644;
	}
	r->file = file;
	r->files = o->put.n;
	return 0;
}

static int write_kept(const struct run *r, struct err *e)
{
	size_t i;

	for (i = 0; i < r->keeps; i++) {
		struct buf b = {0};
		char *p = NULL;
		ssize_t n = 0;
		int rc = 0;

		if (r->kept[i] < 0) {
			tool_warn("the program left no regular file '%s'", r->keep[i]);
			continue;
		}
		do {
			b.n += (size_t)n;
			p = buf_room(&b, 1 << 16);
			n = pread(r->kept[i], p, 1 << 16, (off_t)b.n);
		} while (n > 0);
		rc = n < 0 ? err_errno(e, "%s", r->keep[i]) : file_write(r->keep[i], b.n ? b.p : "", b.n, e);
		buf_free(&b);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int open_output(const char *path, int *fd, struct err *e)
{
	if (!path)
		return 0;
	*fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return *fd < 0 ? err_errno(e, "%s", path) : 0;
}

/* lost: errno of a write that failed before; 0 */
static int close_output(const char *path, int fd, int lost, struct err *e)
{
	const int rc = fd < 0 ? 0 : close(fd);

	if (lost)
		errno = lost;
	return rc < 0 || lost ? err_errno(e, "%s", path) : 0;
}

static int run_command(const struct options *o, struct server *s, char **argv, int argc, struct err *e)
{
	struct run r = asked_limits(o);
	struct run_file *file = xcalloc(o->put.n + 1, sizeof *file);
	struct buf *data = xcalloc(o->put.n + 1, sizeof *data);
	const char **env = xcalloc(o->env.n + 1, sizeof *env), **command = xcalloc((size_t)argc + 1, sizeof *command);
	struct writer *out = writer_open(NULL, e);
	struct record record = {0};
	size_t i;
	int rc = out ? 0 : -1;

	for (i = 0; i < o->env.n; i++)
		env[i] = o->env.item[i];
	memcpy(command, argv, (size_t)argc * sizeof *command);
	r.command = command;
	r.env = env;
	r.keep = o->keep.item;
	r.keeps = o->keep.n;
	r.tree = o->tree;
	r.in_fd = 0;
	if (rc == 0 && (read_puts(o, &r, file, data, e) < 0 || open_output(o->out, &r.out_fd, e) < 0 || open_output(o->err, &r.err_fd, e) < 0))
		rc = -1;
	if (rc == 0)
		rc = server_run(s, &r, 1, 1, e);
	if (rc == 0 && (close_output(o->out, r.out_fd, r.out_lost, e) < 0 || close_output(o->err, r.err_fd, r.err_lost, e) < 0))
		rc = -1;
	if (rc == 0) {
		record_clear(&record);
		rc = write_kept(&r, e);
		r.keeps = 0;
		request_answer(&record, &r);
		r.keeps = o->keep.n;
	}
	if (rc == 0)
		rc = writer_put(out, &record, e);
	if (out && writer_close(out, rc < 0 ? NULL : e) < 0)
		rc = -1;
	record_free(&record);
	run_free(&r);
	for (i = 0; i < o->put.n; i++)
		buf_free(&data[i]);
	free(data);
	free(file);
	free(env);
	free(command);
	return rc;
}

/* ---- records ---- */

static int run_records(struct tool *t, const struct options *o, struct server *s, char **files, size_t n, struct err *e)
{
	struct reader *in = reader_open(files, n, t);
	struct writer *out = writer_open(NULL, e);
	struct run defaults = asked_limits(o);
	struct requests *q = requests_new(&defaults);
	struct record r = {0};
	int rc = out ? 0 : -1;

	while (rc >= 0 && (rc = reader_next(in, &r, e)) > 0) {
		bool fatal;

		if (requests_serve(q, s, &r, 1, o->brief, &fatal, e) < 0)
			rc = fatal ? -1 : reader_bad(in, e);
		else
			rc = writer_put(out, &r, e);
	}
	record_free(&r);
	requests_free(q);
	reader_close(in);
	if (out && writer_close(out, rc < 0 ? NULL : e) < 0)
		return -1;
	return rc;
}

/* ---- */

static int check(const struct server *s, struct err *e)
{
	struct writer *out = writer_open(NULL, e);
	struct buf b = {0};
	int rc;

	if (!out)
		return -1;
	server_describe(s, &b);
	rc = writer_text(out, b.p, b.n, e);
	buf_free(&b);
	return writer_close(out, rc < 0 ? NULL : e) < 0 ? -1 : rc;
}

static int work(struct tool *t, const struct options *o, char **argv, int argc, struct err *e)
{
	struct server_options so = {.show = o->show.item, .shows = o->show.n, .unsafe = o->unsafe,
		.no_cgroup = o->no_cgroup, .no_interpreter = o->fresh || !o->records};
	struct server *s;
	int rc;

	s = server_open(&so, e);
	if (!s)
		return err_prefix(e, "refusing to run anything");
	if (o->unsafe)
		tool_warn("--unsafe: no namespaces, only limits and the system call filter stand between the program and this machine");
	if (o->check)
		rc = check(s, e);
	else if (o->records)
		rc = run_records(t, o, s, argv, (size_t)argc, e);
	else
		rc = run_command(o, s, argv, argc, e);
	server_close(s);
	return rc;
}

/* What --show names at a place that each box has for itself, which would cover it; NULL */
static const char *covered(const struct opt_list *show)
{
	static const char *const own[] = {"/box", "/tmp", "/proc"};
	size_t i, k;

	for (i = 0; i < show->n; i++) {
		const char *colon = strrchr(show->item[i], ':'), *at = colon ? colon + 1 : show->item[i];

		for (k = 0; k < sizeof own / sizeof *own; k++) {
			size_t n = strlen(own[k]);

			if (!strncmp(at, own[k], n) && (!at[n] || at[n] == '/'))
				return show->item[i];
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-sandbox", .usage = "[OPTION]... -- COMMAND [ARG]...", .summary = "Run an untrusted program in a jail",
		.details = "The command sees a read-only /usr, an empty folder of its own and nothing else; no network. One JSON record on stdout\n"
			"says what came of it. With --records, runs are read as records: r1-sandbox(1) names their fields."};
	struct options o;
	struct err e;
	int rc;

	usual_limits(&o);
	struct opt opts[] = {
		OPT_HEADING("Limits, of all processes of the command together"),
		{"cpu", 't', OPT_FLOAT, &o.cpu, "S", "processor time", 0.001, 1e6},
		{"wall", 'w', OPT_FLOAT, &o.wall, "S", "time by the clock", 0.001, 1e6},
		{"memory", 'm', OPT_INT, &o.memory, "MIB", "memory", 1, 1 << 24},
		{"processes", 'p', OPT_INT, &o.processes, "N", "processes and threads", 1, 1 << 20},
		{"output", 0, OPT_INT, &o.output, "MIB", "bytes written to stdout, and to stderr", 1, 1 << 20},
		{"disk", 0, OPT_INT, &o.disk, "MIB", "what its files take", 1, 1 << 24},
		{"files", 0, OPT_INT, &o.files, "N", "how many files it may make", 8, 1 << 24},
		{"file-size", 0, OPT_INT, &o.file_size, "MIB", "size of one file", 1, 1 << 24},
		{"stack", 0, OPT_INT, &o.stack, "MIB", "stack of one thread", 1, 1 << 16},
		{"descriptors", 0, OPT_INT, &o.descriptors, "N", "open files of one process", 32, 1 << 20},
		OPT_HEADING("What it sees and leaves"),
		{"put", 0, OPT_LIST, &o.put, "FILE", "a copy of this file in its folder; may be repeated"},
		{"tree", 0, OPT_STRING, &o.tree, "PATH", "copies of all files of this archive or folder"},
		{"show", 0, OPT_LIST, &o.show, "PATH[:AT]", "let it see this file or folder of the machine, read-only; may be repeated"},
		{"env", 0, OPT_LIST, &o.env, "NAME=VALUE", "set in its environment; may be repeated"},
		{"keep", 0, OPT_LIST, &o.keep, "NAME", "write what it left under this name in its folder to this folder; may be repeated"},
		{"stdout", 0, OPT_STRING, &o.out, "FILE", "its output goes there, not into the record"},
		{"stderr", 0, OPT_STRING, &o.err, "FILE", "likewise its messages"},
		OPT_HEADING("How"),
		{"records", 0, OPT_FLAG, &o.records, NULL, "read runs as records from the files named, or stdin"},
		{"brief", 0, OPT_FLAG, &o.brief, NULL, "with --records: leave what was asked out of what is written"},
		{"fresh", 0, OPT_FLAG, &o.fresh, NULL, "start python3 anew for each record, not from one that is ready"},
		{"no-cgroup", 0, OPT_FLAG, &o.no_cgroup, NULL, "do without control groups"},
		{"unsafe", 0, OPT_FLAG, &o.unsafe, NULL, "run without a jail where none can be made: only for programs that are trusted"},
		{"check", 0, OPT_FLAG, &o.check, NULL, "say what this machine allows, as a record; exit 1 if no jail can be made"},
		TOOL_OPTIONS(&t),
		OPT_END};
	rc = tool_begin(&t, opts, &argc, &argv);
	if (rc < 0 && !o.records && !o.check && !argc)
		rc = tool_usage(&t, "no command");
	if (rc < 0 && covered(&o.show))
		rc = tool_usage(&t, "--show %s: the program has a /box, /tmp and /proc of its own; PATH:AT shows it elsewhere", covered(&o.show));
	if (rc < 0)
		rc = work(&t, &o, argv, argc, &e) < 0 ? tool_fail(&t, &e) : tool_end(&t);
	free(o.put.item);
	free(o.keep.item);
	free(o.env.item);
	free(o.show.item);
	return rc;
}
