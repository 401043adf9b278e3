#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/tool.h"
#include "policy.h"
#include "record/tree.h"
#include "server_private.h"

struct run run_new(void)
{
	return (struct run){.in_fd = -1, .out_fd = -1, .err_fd = -1, .status = -1, .verdict = "IE", .output = 64 * MIB,
		.limits = {.cpu = 10, .wall = 20, .memory = 512 * MIB, .disk = 64 * MIB, .inodes = 4096, .file = 64 * MIB, .stack = 64 * MIB,
			   .processes = 64, .descriptors = 256}};
}

void run_free(struct run *r)
{
	size_t i;

	buf_free(&r->out);
	buf_free(&r->err);
	for (i = 0; r->kept && i < r->keeps; i++)
		if (r->kept[i] >= 0)
			close(r->kept[i]);
	free(r->kept);
	r->kept = NULL;
}

bool run_name_ok(const char *name)
{
	const char *at = name;

	if (!*name || strlen(name) > 1000)
		return false;
	while (*at) {
		size_t n = strcspn(at, "/");

		if (!n || n > 255 || (n == 1 && *at == '.') || (n == 2 && !memcmp(at, "..", 2)))
			return false;
		at += n;
		if (*at && !*++at)
			return false;
	}
	return true;
}

/* ---- an interpreter that is ready ---- */

/* python3 as a second zygote: started by the first, at the first program that needs it. Without it each program starts its own. */
static void start_interpreter(struct server *s)
{
	struct jail_message m = {.kind = JAIL_INTERPRETER};
	struct jail_report r;
	struct err none;
	int pair[2], fds[3], i;
	size_t n;

	s->interpreter = -2;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	fds[0] = pair[1];
	fds[1] = sealed("filter", s->policy.filter, s->policy.n * sizeof *s->policy.filter, &none);
	fds[2] = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fds[1] >= 0 && fds[2] >= 0 && jail_send(s->zygote.socket, &m, sizeof m, fds, 3) == 0) {
		struct pollfd p = {.fd = pair[0], .events = POLLIN};

		close(pair[1]);
		fds[0] = -1;
		if (poll(&p, 1, 20000) == 1 && jail_receive(pair[0], &r, sizeof r, NULL, &n) == sizeof r && r.kind == JAIL_EXITED)
			s->interpreter = pair[0];
	}
	for (i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (s->interpreter < 0) {
		close(pair[0]);
		tool_debug("no python3 can be kept ready: each program starts its own");
	}
}

/* Programs that are python3 SCRIPT, with the usual python3 */
static bool interpreted(const struct run *r)
{
	size_t i;

	for (i = 0; r->env && r->env[i]; i++)
		if (!strncmp(r->env[i], "PATH=", 5) || !strncmp(r->env[i], "PYTHON", 6))
			return false;
	return !r->tree && r->command[0] && !strcmp(r->command[0], "python3") && r->command[1] && r->command[1][0] != '-';
}

static int zygote_for(struct server *s, const struct run *r)
{
	if (s->interpreter == -2 || !interpreted(r))
		return s->zygote.socket;
	if (s->interpreter < 0)
		start_interpreter(s);
	return s->interpreter < 0 ? s->zygote.socket : s->interpreter;
}

static void stop_zygotes(struct server *s)
{
	if (s->interpreter >= 0) {
		close(s->interpreter);
		s->interpreter = -1;
	}
	zygote_stop(&s->zygote);
}

/* ---- opening ---- */

static int make_folders(struct server *s, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	int i;

	for (i = 0; i < CGROUP_SLOTS; i++) {
		s->folder[i] = xasprintf("%s/r1-sandbox-XXXXXX", tmp && *tmp ? tmp : "/tmp");
		if (!mkdtemp(s->folder[i]))
			return err_errno(e, "%s", s->folder[i]);
		chmod(s->folder[i], 0755);
	}
	return 0;
}

static int unpack_here(int fd)
{
	struct err e;

	if (tree_unpack(fd, ".", &e) == 0)
		return 0;
	dprintf(2, "%s", e.msg);
	return 1;
}

struct server *server_open(const struct server_options *o, struct err *e)
{
	struct server *s = xcalloc(1, sizeof *s);

	s->options = *o;
	s->interpreter = o->no_interpreter || o->unsafe ? -2 : -1;
	s->zygote.socket = -1;
	s->cgroups.alive = -1;
	s->policy.unsafe = o->unsafe;
	s->policy.unpack = unpack_here;
	s->view = (struct view){o->show, o->shows};
	if (policy_compile(&s->policy, e) < 0 || (o->unsafe && make_folders(s, e) < 0) || zygote_start(&s->zygote, &s->policy, &s->view, e) < 0) {
		server_close(s);
		return NULL;
	}
	if (!o->no_cgroup)
		cgroups_open(&s->cgroups);
	return s;
}

void server_close(struct server *s)
{
	struct err e;
	int i;

	if (!s)
		return;
	stop_zygotes(s);
	cgroups_close(&s->cgroups);
	for (i = 0; i < CGROUP_SLOTS; i++) {
		if (s->folder[i])
			file_remove_tree(s->folder[i], &e);
		free(s->folder[i]);
	}
	free(s->policy.filter);
	free(s);
}

/* ---- running ---- */

int server_run(struct server *s, struct run *r, size_t n, int watched, struct err *e)
{
	struct outside b[CGROUP_SLOTS];
	int channel[2] = {-1, -1}, rc = 0;
	size_t i, j;

	if (s->zygote.socket < 0 && zygote_start(&s->zygote, &s->policy, &s->view, e) < 0)
		return -1;
	if (n > 1 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) < 0)
		return err_errno(e, "socketpair");
	for (i = 0; i < n; i++)
		b[i] = (struct outside){.r = &r[i], .slot = (int)i, .report = -1, .out = -1, .err = -1, .in = -1};
	for (i = 0; i < n && rc == 0; i++) {
		r[i].kept = xmalloc((r[i].keeps + 1) * sizeof *r[i].kept);
		for (j = 0; j < r[i].keeps; j++)
			r[i].kept[j] = -1;
		rc = outside_start(s, &b[i], n, channel[i], zygote_for(s, &r[i]), e);
	}
	for (i = 0; i < 2; i++)
		if (channel[i] >= 0)
			close(channel[i]);
	if (rc == 0 && (rc = outside_drive(b, n, watched)) < 0) {
		/* Too late by far, or for nobody: everything goes at once */
		stop_zygotes(s);
		for (i = 0; i < n; i++)
			outside_close(&b[i]);
		return err_set(e, tool_interrupted() ? "interrupted" : rc == -2 ? "nobody reads what comes of it any more" : "a box did not end in time");
	}
	for (i = 0; i < n; i++) {
		if (rc == 0)
			outside_judge(s, &b[i]);
		outside_close(&b[i]);
	}
	return rc;
}

void server_describe(const struct server *s, struct buf *to)
{
	const struct cgroups *c = &s->cgroups;

	buf_printf(to, "{\"jail\":%s,\"user_namespace\":%s,\"own_user\":%s,\"filter\":%d,\"cgroup\":%d,\"cgroup_memory\":%s,\"cgroup_processes\":%s}\n",
		   s->policy.unsafe ? "false" : "true", s->zygote.user_namespace ? "true" : "false",
		   s->policy.keep_ids ? "false" : "true", s->policy.n, c->v, c->memory ? "true" : "false", c->pids ? "true" : "false");
}
