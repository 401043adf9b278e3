/* outside.c - a box from outside: its descriptors, what it reads and writes, and the verdict */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/tool.h"
#include "record/tree.h"
#include "server_private.h"

#define GRACE 0.25             /* seconds for the second of two boxes to end when the first has */

/* ---- starting a box ---- */

int sealed(const char *name, const void *p, size_t n, struct err *e)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || file_put(fd, p, n) < 0) {
		err_errno(e, "a file in memory");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	lseek(fd, 0, SEEK_SET);
	fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	return fd;
}

static uint32_t add_strings(struct buf *b, const char *const *v)
{
	uint32_t n = 0;

	for (; v && v[n]; n++)
		buf_add(b, v[n], strlen(v[n]) + 1);
	return n;
}

static int make_job(const struct server *s, const struct run *r, int slot, size_t runs, struct err *e)
{
	static const char *const usual[] = {JAIL_ENVIRONMENT, NULL};
	const char *folder = s->policy.unsafe ? s->folder[slot] : JAIL_FOLDER;
	struct jail_job j = {.limits = r->limits, .keeps = (uint32_t)r->keeps, .files = (uint32_t)r->files};
	struct buf b = {0}, line = {0};
	struct sysinfo info;
	size_t i;
	int fd;

	j.watch_memory = !s->cgroups.v || !s->cgroups.memory;
	/* Zygotes, init and the box beside it, where all are one user; older kernels count what the user has running anywhere */
	if (s->policy.keep_ids)
		j.extra_processes = (uint32_t)(6 + (runs > 1 ? r->limits.processes : 0) + (sysinfo(&info) == 0 && s->policy.unsafe ? info.procs : 0));
	buf_add(&b, &j, sizeof j);
	buf_add(&b, folder, strlen(folder) + 1);
	j.argc = add_strings(&b, r->command);
	j.envc = add_strings(&b, usual);
	buf_printf(&line, "HOME=%s/work", folder);
	buf_add(&b, line.p, line.n + 1);
	buf_clear(&line);
	buf_printf(&line, "TMPDIR=%s/tmp", folder);
	buf_add(&b, line.p, line.n + 1);
	j.envc += 2 + add_strings(&b, r->env);
	for (i = 0; i < r->keeps; i++)
		buf_add(&b, r->keep[i], strlen(r->keep[i]) + 1);
	for (i = 0; i < r->files; i++) {
		struct jail_file f = {r->file[i].mode ? r->file[i].mode : 0644, (uint32_t)strlen(r->file[i].name) + 1, r->file[i].n};

		buf_add(&b, &f, sizeof f);
		buf_add(&b, r->file[i].name, f.name);
		buf_add(&b, r->file[i].p, r->file[i].n);
	}
	j.size = b.n;
	memcpy(b.p, &j, sizeof j);
	fd = sealed("job", b.p, b.n, e);
	buf_free(&b);
	buf_free(&line);
	return fd;
}

/* Another process reads the tree, with our rights, and writes it as an archive into a pipe: what unpacks it sees nothing else. */
static int stream_tree(struct outside *b, struct err *e)
{
	int pipe[2];

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return err_errno(e, "pipe");
	b->packer = fork();
	if (b->packer == 0) {
		signal(SIGPIPE, SIG_DFL);
		_exit(tree_stream(b->r->tree, pipe[1], e) < 0);
	}
	close(pipe[1]);
	if (b->packer < 0) {
		close(pipe[0]);
		return err_errno(e, "fork");
	}
	return pipe[0];
}

static void close_all(int *fds, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int outside_start(struct server *s, struct outside *b, size_t runs, int channel, int zygote, struct err *e)
{
	struct jail_message m = {.kind = JAIL_RUN, .slot = (uint32_t)b->slot};
	int fds[JAIL_MAX_FDS], pair[2], out[2] = {-1, -1}, err[2] = {-1, -1}, in[2] = {-1, -1}, i, rc;
	size_t n = 0;

	if (cgroup_begin(&s->cgroups, b->slot, &b->r->limits, e) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		return err_errno(e, "pipe");
	b->report = pair[0];
	b->out = out[0];
	b->err = err[0];
	fcntl(b->out, F_SETFL, O_NONBLOCK);
	fcntl(b->err, F_SETFL, O_NONBLOCK);
	fds[n++] = make_job(s, b->r, b->slot, runs, e);
	fds[n++] = pair[1];
	if (b->r->in_fd >= 0) {
		if (pipe2(in, O_CLOEXEC) < 0)
			err_errno(e, "pipe");
		b->in = in[1];
		fcntl(b->in, F_SETFL, O_NONBLOCK);
		fds[n++] = in[0];
	} else {
		fds[n++] = sealed("stdin", b->r->in, b->r->in_n, e);
	}
	fds[n++] = out[1];
	fds[n++] = err[1];
	if (channel >= 0) {
		m.flags |= JAIL_HAS_CHANNEL;
		fds[n++] = dup(channel);
	}
	if (b->r->tree) {
		m.flags |= JAIL_HAS_TREE;
		fds[n++] = stream_tree(b, e);
	}
	rc = 0;
	for (i = 0; i < (int)n; i++)
		rc = fds[i] < 0 ? -1 : rc;
	if (s->cgroups.v)
		for (; m.cgroups < (uint32_t)s->cgroups.n; m.cgroups++)
			fds[n + m.cgroups] = s->cgroups.group[b->slot].procs[m.cgroups];
	if (rc == 0 && jail_send(zygote, &m, sizeof m, fds, n + m.cgroups) < 0)
		rc = err_errno(e, "the jail's first process is gone");
	close_all(fds, n);
	b->deadline = clock_seconds() + (b->r->tree ? 2 : 1) * b->r->limits.wall + 5;
	return rc;
}

/* ---- while it runs ---- */

static void stop(struct outside *b)
{
	if (!b->stopped && b->report >= 0)
		shutdown(b->report, SHUT_WR);   /* init sees the end, and ends */
	b->stopped = true;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* What the program wrote, on its way to a file */
static void hand_on(struct outside *b, const char *p, size_t n, int to, int *lost)
{
	if (*lost || file_put(to, p, n) == 0)
		return;
	*lost = errno;
	stop(b);
}

/* What the program wrote: kept up to the limit */
static void take_output(struct outside *b, int *fd, struct buf *to, int direct, int *lost)
{
	const size_t limit = (size_t)b->r->output, block = 1 << 16;
	ssize_t n;

	for (;;) {
		char *p = buf_room(to, block);

		n = read(*fd, p, block);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		to->n += (size_t)n;
		if (to->n > limit) {
			to->n = limit;
			b->flooded = true;
			stop(b);
		}
		to->p[to->n] = 0;
		if (direct >= 0)
			hand_on(b, p, (size_t)n, direct, lost);
		if (n < (ssize_t)block)
			return;
	}
	if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		shut(fd);
}

static void take_report(struct outside *b)
{
	struct jail_report r;
	int fds[JAIL_MAX_FDS];
	size_t n, i;

	if (jail_receive(b->report, &r, sizeof r, fds, &n) != sizeof r) {
		shut(&b->report);
		b->over = true;
		return;
	}
	if (r.kind == JAIL_KEPT && n == 1 && r.error >= 0 && (size_t)r.error < b->r->keeps && b->r->kept[r.error] < 0) {
		b->r->kept[r.error] = fds[0];
		return;
	}
	for (i = 0; i < n; i++)
		close(fds[i]);
	b->last = r;
	b->reported = true;
	b->over = true;
}

/* From the server's own stdin into the program's: what the program gets is a pipe, never a file of the host. */
static void pump(struct outside *b, bool readable)
{
	const size_t room = 1 << 16;
	ssize_t n;

	if (!b->block)
		b->block = xmalloc(room);
	if (b->in_at == b->in_n && readable && !b->in_over) {
		n = read(b->r->in_fd, b->block, room);
		b->in_at = 0;
		b->in_n = n > 0 ? (size_t)n : 0;
		b->in_over = n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
	}
	if (b->in_at < b->in_n) {
		n = write(b->in, b->block + b->in_at, b->in_n - b->in_at);
		if (n > 0)
			b->in_at += (size_t)n;
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			shut(&b->in);   /* the program reads no more */
	}
	if (b->in_over && b->in_at == b->in_n)
		shut(&b->in);
}

struct waiting {
	struct pollfd fd[2 * 4 + 1];
	int n;
};

static int wait_for(struct waiting *w, int fd, short events)
{
	if (fd < 0)
		return -1;
	w->fd[w->n] = (struct pollfd){.fd = fd, .events = events};
	return w->n++;
}

static short seen(const struct waiting *w, int i)
{
	return i < 0 ? 0 : w->fd[i].revents;
}

/* One round: waits, reads what is there. 0; -1 too late by far; -2 nobody waits for the result any more */
static int step(struct outside *b, size_t n, int watched)
{
	struct waiting w = {.n = 0};
	int report[2] = {-1, -1}, out[2], err[2], in[2], dead, timeout = 1000;
	double now = clock_seconds(), until;
	size_t i;

	for (i = 0; i < n; i++) {
		bool idle = b[i].in_at == b[i].in_n;

		report[i] = b[i].over ? -1 : wait_for(&w, b[i].report, POLLIN);
		out[i] = wait_for(&w, b[i].out, POLLIN);
		err[i] = wait_for(&w, b[i].err, POLLIN);
		in[i] = b[i].in < 0 ? -1 : idle ? wait_for(&w, b[i].r->in_fd, POLLIN) : wait_for(&w, b[i].in, POLLOUT);
		until = b[i].stop_at && !b[i].stopped && b[i].stop_at < b[i].deadline ? b[i].stop_at : b[i].deadline;
		if (!b[i].over && until - now < timeout * 1e-3)
			timeout = until < now ? 0 : (int)((until - now) * 1e3) + 1;
	}
	dead = wait_for(&w, watched, 0);
	if (poll(w.fd, (nfds_t)w.n, timeout) < 0)
		return tool_interrupted() ? -2 : 0;
	for (i = 0; i < n; i++) {
		if (seen(&w, out[i]))
			take_output(&b[i], &b[i].out, &b[i].r->out, b[i].r->out_fd, &b[i].r->out_lost);
		if (seen(&w, err[i]))
			take_output(&b[i], &b[i].err, &b[i].r->err, b[i].r->err_fd, &b[i].r->err_lost);
		if (seen(&w, in[i]))
			pump(&b[i], true);
		if (seen(&w, report[i]))
			take_report(&b[i]);
		if (!b[i].over && clock_seconds() > b[i].deadline)
			return -1;
	}
	return seen(&w, dead) & (POLLERR | POLLHUP | POLLNVAL) || tool_interrupted() ? -2 : 0;
}

/* ---- the verdict ---- */

void outside_judge(struct server *s, struct outside *b)
{
	struct run *r = b->r;
	const struct jail_report *l = &b->last;
	struct cgroup_use use;

	cgroup_end(&s->cgroups, b->slot, &use);
	r->started = b->reported && l->kind != JAIL_BROKEN && l->kind != JAIL_NOT_RUN && l->kind != JAIL_TREE;
	r->cpu = l->cpu > use.cpu || !r->started ? l->cpu : use.cpu;
	r->wall = l->wall;
	r->memory = use.memory ? use.memory : l->memory;
	r->status = l->kind == JAIL_EXITED ? l->status : -1;
	r->verdict = "IE";
	if (b->flooded) {
		r->verdict = "OLE";
		snprintf(r->why, sizeof r->why, "more than %lld bytes of output", (long long)r->output);
	} else if (use.killed || (b->reported && l->kind == JAIL_MEMORY)) {
		r->verdict = "MLE";
		r->status = -1;         /* by the kernel or by init: it was not the program's own end */
		snprintf(r->why, sizeof r->why, "more than %.4g MiB of memory", (double)r->limits.memory / (double)MIB);
	} else if (!b->reported) {
		snprintf(r->why, sizeof r->why, "the box died");
	} else if (l->kind == JAIL_BROKEN) {
		snprintf(r->why, sizeof r->why, "the box could not be made: %s: %s", l->what, strerror(l->error));
	} else if (l->kind == JAIL_NOT_RUN) {
		snprintf(r->why, sizeof r->why, "%s: %s", r->command[0], strerror(l->error));
	} else if (l->kind == JAIL_TREE) {
		snprintf(r->why, sizeof r->why, "%.100s: %s", r->tree, l->what);
	} else if (l->kind == JAIL_WALL) {
		r->verdict = "TLE";
		snprintf(r->why, sizeof r->why, "more than %g s", r->limits.wall);
	} else if (l->kind == JAIL_CPU || r->cpu > r->limits.cpu || (WIFSIGNALED(l->status) && WTERMSIG(l->status) == SIGXCPU)) {
		r->verdict = "TLE";
		snprintf(r->why, sizeof r->why, "more than %g s of processor time", r->limits.cpu);
	} else if (l->kind == JAIL_STOPPED) {
		snprintf(r->why, sizeof r->why, "stopped");
	} else if (WIFSIGNALED(l->status) && WTERMSIG(l->status) == SIGXFSZ) {
		r->verdict = "OLE";
		snprintf(r->why, sizeof r->why, "a file of more than %lld bytes", (long long)r->limits.file);
	} else if (WIFEXITED(l->status) && WEXITSTATUS(l->status) == 0) {
		r->verdict = "OK";
	} else if (l->memory > r->limits.memory) {
		r->verdict = "MLE";
		snprintf(r->why, sizeof r->why, "more than %.4g MiB of memory", (double)r->limits.memory / (double)MIB);
	} else {
		r->verdict = "RE";
		if (WIFSIGNALED(l->status))
			snprintf(r->why, sizeof r->why, "signal %d (%s)", WTERMSIG(l->status), strsignal(WTERMSIG(l->status)));
		else
			snprintf(r->why, sizeof r->why, "exit status %d", WEXITSTATUS(l->status));
	}
}

void outside_close(struct outside *b)
{
	shut(&b->report);
	shut(&b->out);
	shut(&b->err);
	shut(&b->in);
	free(b->block);
	if (b->packer > 0) {
		int status = 0;

		kill(b->packer, SIGKILL);
		while (waitpid(b->packer, &status, 0) < 0 && errno == EINTR)
			;
		if (b->over && WIFEXITED(status) && WEXITSTATUS(status) == 1) {
			b->r->verdict = "IE";
			snprintf(b->r->why, sizeof b->r->why, "%.200s: cannot be read", b->r->tree);
		}
	}
}

int outside_drive(struct outside *b, size_t n, int watched)
{
	size_t i;

	for (;;) {
		bool busy = false;
		int rc;

		for (i = 0; i < n; i++)
			busy |= !b[i].over || b[i].out >= 0 || b[i].err >= 0;
		if (!busy)
			return 0;
		rc = step(b, n, watched);
		if (rc < 0)
			return rc;
		/* The first is over: the other sees the end of the channel, and may end by itself for a moment */
		if (n > 1 && b[0].over && !b[1].stop_at)
			b[1].stop_at = clock_seconds() + GRACE;
		if (n > 1 && b[1].stop_at && clock_seconds() > b[1].stop_at)
			stop(&b[1]);
	}
}
