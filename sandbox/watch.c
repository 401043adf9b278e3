/* watch.c - time and memory of all processes of a box, and their end */
#include "box.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

double box_seconds(clockid_t clock)
{
	struct timespec t = {0};

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Reaps what has ended; is it the program? */
static bool reap(struct box *b, int flags)
{
	bool over = false;
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, flags)) > 0 || (pid < 0 && errno == EINTR)) {
		if (pid == b->child) {
			b->status = status;
			over = true;
		}
	}
	return over;
}

/* The sum of the processes' proportional shares of memory: what forked interpreters share counts once. */
static int64_t shared_size(int pid)
{
	char path[64], text[2048], *at;
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = 0;
	at = strstr(text, "\nPss:");
	return at ? atoll(at + 5) * 1024 : -1;
}

static bool read_stat(int pid, double *cpu, int64_t *memory)
{
	static const char *const format = " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld %*d %*d %*d %*d %*u %*u %lld";
	char path[64], text[1024], *at;
	unsigned long long user, sys;
	long long child_user, child_sys, pages;
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	at = strrchr(text, ')');        /* its name may hold anything */
	if (!at || sscanf(at + 1, format, &user, &sys, &child_user, &child_sys, &pages) != 5)
		return false;
	*cpu = (double)(user + sys + (unsigned long long)child_user + (unsigned long long)child_sys) / (double)sysconf(_SC_CLK_TCK);
	*memory = pages * sysconf(_SC_PAGESIZE);
	return true;
}

/* Processor time and memory of all that is alive, besides what was reaped. */
static void look(struct box *b, double *cpu, int64_t *memory)
{
	struct rusage reaped;
	struct statfs fs;
	struct dirent *d;
	int64_t exact = 0;
	DIR *proc = b->policy->unsafe ? NULL : opendir("/proc");
	clockid_t clock;
	pid_t pids[1024];
	size_t n = 0, i;

	getrusage(RUSAGE_CHILDREN, &reaped);
	*cpu = (double)(reaped.ru_utime.tv_sec + reaped.ru_stime.tv_sec) + (double)(reaped.ru_utime.tv_usec + reaped.ru_stime.tv_usec) * 1e-6;
	*memory = 0;
	while (proc && n < sizeof pids / sizeof *pids && (d = readdir(proc)))
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9' && strcmp(d->d_name, "1"))
			pids[n++] = atoi(d->d_name);
	if (proc)
		closedir(proc);
	for (i = 0; i < n; i++) {
		double used;
		int64_t size;

		if (read_stat(pids[i], &used, &size)) {
			*cpu += used;
			*memory += size;
		}
	}
	if (!n && clock_getcpuclockid(b->child, &clock) == 0)
		*cpu += box_seconds(clock);
	if (!b->job->watch_memory)
		return;
	if (statfs(b->folder, &fs) == 0 && !b->policy->unsafe)
		*memory += exact = (int64_t)(fs.f_blocks - fs.f_bfree) * fs.f_bsize;
	if (*memory <= b->job->limits.memory)
		return;
	for (i = 0; i < n; i++) {
		int64_t size = shared_size(pids[i]);

		exact += size < 0 ? 0 : size;
	}
	*memory = exact;
}

/* Until the program ends or has used too much: why it was over. */
enum jail_end box_watch(struct box *b)
{
	const struct jail_limits *l = &b->job->limits;
	const double tick = b->job->watch_memory ? 0.005 : 0.02;
	double looked = b->started;
	struct pollfd server = {.fd = b->report, .events = POLLIN};
	sigset_t none;

	sigemptyset(&none);
	for (;;) {
		double now = box_seconds(CLOCK_MONOTONIC), left = b->started + l->wall - now, cpu;
		struct timespec wait = {0};
		int64_t memory;
		int rc;

		if (reap(b, WNOHANG))
			return JAIL_EXITED;
		if (left <= 0)
			return JAIL_WALL;
		wait.tv_nsec = (long)((left < tick ? left : tick) * 1e9);
		rc = ppoll(&server, 1, &wait, &none);
		if (rc > 0)             /* hung up: the server is gone, or has seen enough */
			return JAIL_STOPPED;
		if (rc < 0 && now - looked < tick)      /* a child has ended */
			continue;
		look(b, &cpu, &memory);
		looked = box_seconds(CLOCK_MONOTONIC);
		if (memory > b->memory)
			b->memory = memory;
		if (cpu > l->cpu)
			return JAIL_CPU;
		if (b->job->watch_memory && memory > l->memory)
			return JAIL_MEMORY;
	}
}

/* Children of this process that are left, where there is no pid namespace to say "all" */
static bool kill_children(void)
{
	char text[4096], *at = text, *end;
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	bool any = false;

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = 0;
	for (; *at; at = end) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			break;
		any |= kill((pid_t)pid, SIGKILL) == 0;
		while (*end == ' ')
			end++;
	}
	return any;
}

/* No process of the box but this one is left behind. */
void box_kill_all(struct box *b)
{
	struct timespec pause = {0, 200000};

	for (;;) {
		int status;
		pid_t pid;

		if (b->policy->unsafe) {
			kill(-b->child, SIGKILL);
			kill_children();
		} else {
			kill(-1, SIGKILL);
		}
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == b->child)
				b->status = status;
		if (pid < 0 && errno == ECHILD)
			return;
		nanosleep(&pause, NULL);
	}
}
