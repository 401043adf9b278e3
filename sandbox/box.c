/* box.c - process 1 of a box: the private file systems, the program, the watch over it, and its end */
#include "jail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"

static _Noreturn void finish(const struct box *b, struct jail_report *r)
{
	jail_send(b->report, r, sizeof *r, NULL, 0);
	_exit(0);
}

static _Noreturn void broken(const struct box *b, const char *what)
{
	struct jail_report r = {.kind = JAIL_BROKEN, .error = errno};

	snprintf(r.what, sizeof r.what, "%s", what);
	finish(b, &r);
}

const char *jail_string(const struct jail_job *j, size_t i)
{
	const char *s = (const char *)(j + 1);

	while (i--)
		s += strlen(s) + 1;
	return s;
}

static const char *const *strings(const struct jail_job *j, size_t from, size_t n)
{
	const char **v = calloc(n + 1, sizeof *v);
	size_t i;

	if (v && n)
		v[0] = jail_string(j, from);
	for (i = 1; v && i < n; i++)
		v[i] = v[i - 1] + strlen(v[i - 1]) + 1;
	return v;
}

/* ---- file systems ---- */

static void make_folder(const struct box *b, const char *path, mode_t mode)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		broken(b, "make a folder of the box");
	if (chown(path, b->policy->uid, b->policy->gid) < 0 && !b->policy->keep_ids)
		broken(b, "give the box's folders to its user");
}

static void mount_all(const struct box *b)
{
	char options[160];
	const char *const tries[] = {"hidepid=invisible,subset=pid", "hidepid=2", ""};
	size_t i;

	if (sethostname("box", 3) < 0)
		broken(b, "name the host");
	/* The owner by number: this mount's ids are those of the user namespace */
	snprintf(options, sizeof options, "mode=755,size=%lld,nr_inodes=%lld", (long long)b->job->limits.disk, (long long)b->job->limits.inodes);
	if (mount("box", JAIL_FOLDER, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
		broken(b, "mount the private tmpfs");
	for (i = 0; i < sizeof tries / sizeof *tries; i++)
		if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, tries[i]) == 0)
			break;
	/* A container that hides parts of its own /proc gets no new one: the box then has none. The host's is never left. */
	if (umount2("/.proc", MNT_DETACH) < 0)
		broken(b, "take the host's /proc away");
}

static int write_all(int fd, const char *p, uint64_t n)
{
	while (n) {
		ssize_t k = write(fd, p, n > 1 << 30 ? 1 << 30 : n);

		if (k < 0)
			return -1;
		p += k;
		n -= (uint64_t)k;
	}
	return 0;
}

/* The job's files, whose names the server has seen to be clean, into an empty folder. */
static void write_files(const struct box *b)
{
	const struct jail_job *j = b->job;
	const char *at = jail_string(j, 1 + j->argc + j->envc + j->keeps);
	uint32_t i;

	for (i = 0; i < j->files; i++) {
		struct jail_file f;
		char path[4096], *slash;
		int fd;

		memcpy(&f, at, sizeof f);
		at += sizeof f;
		snprintf(path, sizeof path, "%s/work/%s", b->folder, at);
		at += f.name;
		for (slash = path + strlen(b->folder) + 6; (slash = strchr(slash, '/')); *slash++ = '/') {
			*slash = 0;
			make_folder(b, path, 0755);
		}
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 || write_all(fd, at, f.size) < 0 || fchmod(fd, f.mode) < 0 ||
		    (!b->policy->keep_ids && fchown(fd, b->policy->uid, b->policy->gid) < 0))
			broken(b, "write the job's files");
		close(fd);
		at += f.size;
	}
}

static void make_folders(const struct box *b)
{
	static const char *const name[] = {"work", "tmp", "shm"};
	char path[4096];
	size_t i;

	for (i = 0; i < sizeof name / sizeof *name; i++) {
		snprintf(path, sizeof path, "%s/%s", b->folder, name[i]);
		make_folder(b, path, 0700);
	}
}

/* ---- the program's process ---- */

struct failure {                /* what its process says before it is the program */
	int error;
	char what[60];
};

static _Noreturn void fail(int pipe, const char *what)
{
	struct failure f = {.error = errno};
	ssize_t n;

	snprintf(f.what, sizeof f.what, "%s", what);
	n = write(pipe, &f, sizeof f);
	_exit(n == sizeof f ? 126 : 125);
}

static void default_signals(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;
	int s;

	for (s = 1; s < _NSIG; s++)
		sigaction(s, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Everything but exec: standard descriptors, the channel as 3, `pipe` as the next, nothing else; limits; no rights. */
static int become(const struct box *b, int pipe, int in, int out, int err, int channel)
{
	int keep = channel >= 0 ? 4 : 3, fd[5] = {in, out, err, channel, pipe}, i;
	char work[4096];
	const char *bad;

	setsid();
	for (i = 0; i < 5; i++)
		if (fd[i] >= 0 && (fd[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, 16)) < 0)
			fail(pipe, "move descriptors");
	pipe = fd[4];
	for (i = 0; i < keep; i++)
		if (dup2(fd[i], i) < 0)
			fail(pipe, "move descriptors");
	if (fcntl(pipe, F_DUPFD_CLOEXEC, keep) != keep && dup3(pipe, keep, O_CLOEXEC) < 0)
		fail(pipe, "move descriptors");
	pipe = keep;
	if (syscall(SYS_close_range, keep + 1, ~0u, 0) < 0)
		for (i = keep + 1; i < 65536; i++)
			close(i);
	default_signals();
	umask(022);
	bad = jail_apply_limits(&b->job->limits, b->job->watch_memory, b->job->extra_processes);
	if (!bad)
		bad = jail_apply(b->policy);
	if (bad)
		fail(pipe, bad);
	snprintf(work, sizeof work, "%s/work", b->folder);
	if (chdir(work) < 0)
		fail(pipe, "enter the box's folder");
	return pipe;
}

/* argv[0] along the PATH of the environment; a name with '/' as it is */
static void execute(char *const *argv, char *const *envp)
{
	const char *path = "/usr/local/bin:/usr/bin:/bin", *end;
	size_t i;

	for (i = 0; envp[i]; i++)
		if (!strncmp(envp[i], "PATH=", 5))
			path = envp[i] + 5;
	if (strchr(argv[0], '/')) {
		execve(argv[0], argv, envp);
		return;
	}
	for (;; path = end + 1) {
		char at[4096];

		end = path + strcspn(path, ":");
		snprintf(at, sizeof at, "%.*s/%s", (int)(end - path), path, argv[0]);
		execve(at, argv, envp);
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			return;
		if (!*end)
			return;
	}
}

/* The program starts, or says why not; 0 in the parent, 1 in an interpreter's child. */
static int start(struct box *b, const int *fds, const struct jail_message *m)
{
	int pipe[2], i;
	struct failure f;

	if (pipe2(pipe, O_CLOEXEC) < 0)
		broken(b, "make a pipe");
	b->started = box_seconds(CLOCK_MONOTONIC);
	b->child = fork();
	if (b->child < 0)
		broken(b, "fork");
	if (!b->child) {
		int say = become(b, pipe[1], fds[2], fds[3], fds[4], m->flags & JAIL_HAS_CHANNEL ? fds[5] : -1);

		if (b->policy->interpreter) {
			close(say);
			return 1;
		}
		execute((char *const *)strings(b->job, 1, b->job->argc), (char *const *)strings(b->job, 1 + b->job->argc, b->job->envc));
		fail(say, "run");
	}
	for (i = 2; i < (m->flags & JAIL_HAS_CHANNEL ? 6 : 5); i++)
		close(fds[i]);          /* the program's ends: they close with the program */
	close(pipe[1]);
	if (read(pipe[0], &f, sizeof f) == sizeof f) {
		struct jail_report r = {.kind = strcmp(f.what, "run") ? JAIL_BROKEN : JAIL_NOT_RUN, .error = f.error};

		snprintf(r.what, sizeof r.what, "%.*s", (int)sizeof f.what - 1, f.what);
		finish(b, &r);
	}
	close(pipe[0]);
	return 0;
}

/* ---- the end ---- */

static void send_kept(const struct box *b)
{
	const struct jail_job *j = b->job;
	uint32_t i;

	for (i = 0; i < j->keeps; i++) {
		struct jail_report r = {.kind = JAIL_KEPT, .error = (int)i};
		char path[4096];
		struct stat st;
		int fd;

		/* By the names that the server gave, of one part: no link on the way, and none at the end; a pipe must not block. */
		snprintf(path, sizeof path, "%s/work/%s", b->folder, jail_string(j, 1 + j->argc + j->envc + i));
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			jail_send(b->report, &r, sizeof r, &fd, 1);
		close(fd);
	}
}

static _Noreturn void end(struct box *b, enum jail_end why)
{
	struct jail_report r = {.kind = why};
	struct rusage all;

	r.wall = box_seconds(CLOCK_MONOTONIC) - b->started;
	box_kill_all(b);
	getrusage(RUSAGE_CHILDREN, &all);
	r.cpu = (double)(all.ru_utime.tv_sec + all.ru_stime.tv_sec) + (double)(all.ru_utime.tv_usec + all.ru_stime.tv_usec) * 1e-6;
	r.memory = all.ru_maxrss * 1024 > b->memory ? all.ru_maxrss * 1024 : b->memory;
	r.status = b->status;
	send_kept(b);
	finish(b, &r);
}

/* An archive's bytes on `fd` become the files of the work folder: by a process as powerless as the program, under the same watch. */
static void unpack(struct box *b, int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), pipe[2];
	struct jail_report r = {.kind = JAIL_TREE};
	enum jail_end why;
	union {
		struct failure f;
		char text[sizeof r.what];
	} said = {.f = {0}};
	size_t have = 0;
	ssize_t n;

	if (null < 0 || pipe2(pipe, O_CLOEXEC) < 0)
		broken(b, "make a pipe");
	b->started = box_seconds(CLOCK_MONOTONIC);
	b->child = fork();
	if (b->child < 0)
		broken(b, "fork");
	if (!b->child) {
		become(b, pipe[1], fd, null, pipe[1], -1);
		_exit(b->policy->unpack(0));
	}
	close(pipe[1]);
	close(null);
	why = box_watch(b);
	box_kill_all(b);
	while (have < sizeof said.text - 1 && (n = read(pipe[0], said.text + have, sizeof said.text - 1 - have)) > 0)
		have += (size_t)n;
	said.text[have] = 0;            /* not all of it need have been cleared */
	close(pipe[0]);
	if (why == JAIL_EXITED && b->status == 0)
		return;
	if (why != JAIL_EXITED)
		r.kind = (int)why;
	else if (WIFEXITED(b->status) && WEXITSTATUS(b->status) == 126)
		r = (struct jail_report){.kind = JAIL_BROKEN, .error = said.f.error};
	snprintf(r.what, sizeof r.what, "%s", WIFSIGNALED(b->status) ? strsignal(WTERMSIG(b->status)) : r.kind == JAIL_BROKEN ? said.f.what : said.text);
	finish(b, &r);
}

static void on_child(int sig)
{
	(void)sig;                      /* it only has to wake ppoll */
}

static const struct jail_job *map_job(struct box *b, int fd)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(struct jail_job))
		broken(b, "read the job");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		broken(b, "read the job");
	return p;
}

static void join_cgroups(const struct box *b, const int *fds, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (write(fds[i], "0", 1) != 1)
			broken(b, "join the cgroup");
}

const struct jail_job *jail_box(const struct jail_message *m, const int *fds, const struct jail_policy *p)
{
	struct sigaction sa = {.sa_handler = on_child};
	struct jail_policy own = *p;
	struct box b = {.policy = &own, .report = fds[1]};
	size_t next = 5 + !!(m->flags & JAIL_HAS_CHANNEL);
	int tree = m->flags & JAIL_HAS_TREE ? fds[next++] : -1;
	sigset_t set;

	own.uid += m->slot;
	own.gid += m->slot;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGCHLD, &sa, NULL);
	join_cgroups(&b, fds + next, m->cgroups);
	b.job = map_job(&b, fds[0]);
	b.folder = jail_string(b.job, 0);
	if (p->unsafe)
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	else
		mount_all(&b);
	make_folders(&b);
	if (tree >= 0)
		unpack(&b, tree);
	write_files(&b);
	if (start(&b, fds, m))
		return b.job;
	end(&b, box_watch(&b));
}
