#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

static int put(const char *dir, const char *file, const char *value)
{
	char path[PATH_MAX];
	int fd, rc;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = write(fd, value, strlen(value)) < 0 ? -1 : 0;
	rc = close(fd) < 0 ? -1 : rc;
	return rc;
}

static int put_number(const char *dir, const char *file, int64_t value)
{
	char text[32];

	snprintf(text, sizeof text, "%lld", (long long)value);
	return put(dir, file, text);
}

static bool has(const char *dir, const char *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", dir, file);
	return access(path, W_OK) == 0;
}

/* The number behind `key` in a file, or of the whole file; 0 where it is not to be had. */
static int64_t get(const char *dir, const char *file, const char *key)
{
	char path[PATH_MAX], text[4096], *at = text;
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	if (key) {
		size_t len = strlen(key);

		while (at && (strncmp(at, key, len) || at[len] != ' '))
			if ((at = strchr(at, '\n')))
				at++;
		if (!at)
			return 0;
		at += len;
	}
	return strtoll(at, NULL, 10);
}

/* Where version 1 has this controller mounted, and this process's group in it; "" for version 2. Freed by the caller, or NULL. */
static char *own_group(const char *controller)
{
	char *line = NULL, *mount = NULL, *root = NULL, *found = NULL;
	size_t cap = 0;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char group[PATH_MAX] = "";

	while (f && getline(&line, &cap, f) > 0) {
		char *dash = strstr(line, " - "), *r = NULL, *m = NULL, type[32], options[512];
		bool match;

		if (!dash || sscanf(line, "%*s %*s %*s %ms %ms", &r, &m) != 2 || sscanf(dash, " - %31s %*s %511s", type, options) != 2) {
			free(r);
			free(m);
			continue;
		}
		match = *controller ? !strcmp(type, "cgroup") : !strcmp(type, "cgroup2");
		if (match && *controller) {
			char *word, *save;

			for (match = false, word = strtok_r(options, ",", &save); word; word = strtok_r(NULL, ",", &save))
				match |= !strcmp(word, controller);
		}
		if (match && !mount) {
			mount = m;
			root = r;
		} else {
			free(r);
			free(m);
		}
	}
	if (f)
		fclose(f);
	f = mount ? fopen("/proc/self/cgroup", "re") : NULL;
	while (f && getline(&line, &cap, f) > 0) {
		char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL, *word, *save;

		if (!path)
			continue;
		*path++ = 0;
		path[strcspn(path, "\n")] = 0;
		if (!*controller && !names[1])
			snprintf(group, sizeof group, "%s", path);
		for (word = strtok_r(names + 1, ",", &save); word && *controller; word = strtok_r(NULL, ",", &save))
			if (!strcmp(word, controller))
				snprintf(group, sizeof group, "%s", path);
	}
	if (f)
		fclose(f);
	if (mount && *group) {
		size_t n = strlen(root);
		const char *below = n > 1 && !strncmp(group, root, n) ? group + n : group;

		found = xasprintf("%s%s", mount, strcmp(below, "/") ? below : "");
	}
	free(line);
	free(mount);
	free(root);
	return found;
}

/* A folder of ours in or above `own`, in which `file` says that the controller works; NULL. */
static char *make_parent(const char *own, const char *file)
{
	char at[PATH_MAX], *slash;

	snprintf(at, sizeof at, "%s", own);
	for (;;) {
		char *dir = xasprintf("%s/r1-sandbox-%d", at, (int)getpid());

		if (mkdir(dir, 0755) == 0) {
			if (has(dir, file))
				return dir;
			rmdir(dir);
		}
		free(dir);
		slash = strrchr(at, '/');
		if (!slash || !strncmp(slash, "/cgroup", 7) || slash == at)
			break;
		*slash = 0;
	}
	return NULL;
}

/* A group, and what takes processes into it; -1: that cannot be opened */
static int make_group(const char *dir)
{
	char path[PATH_MAX];

	mkdir(dir, 0755);
	snprintf(path, sizeof path, "%s/cgroup.procs", dir);
	return open(path, O_WRONLY | O_CLOEXEC);
}

static void add_tree(struct cgroups *c, char *parent)
{
	int i;

	for (i = 0; i < CGROUP_SLOTS; i++) {
		c->group[i].path[c->n] = xasprintf("%s/%d", parent, i);
		c->group[i].procs[c->n] = make_group(c->group[i].path[c->n]);
	}
	c->parent[c->n++] = parent;
}

static void remove_all(const struct cgroups *c)
{
	int tries, i, j;
	bool left = true;

	for (tries = 0; left && tries < 400; tries++) {
		struct timespec pause = {0, 5000000};

		left = false;
		for (i = 0; i < c->n; i++) {
			for (j = 0; j < CGROUP_SLOTS; j++)
				if (rmdir(c->group[j].path[i]) < 0 && errno == EBUSY)
					put(c->group[j].path[i], "cgroup.kill", "1");
			if (rmdir(c->parent[i]) < 0 && errno != ENOENT)
				left = true;
		}
		if (left)
			nanosleep(&pause, NULL);
	}
}

/* A process that does nothing but wait for the end of this one, however it ends. */
static void start_janitor(struct cgroups *c)
{
	int pipe[2];
	pid_t pid;

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		sigset_t all;
		char byte;
		ssize_t n;

		setsid();
		if (fork() != 0)        /* nobody's child: nobody has to wait for it */
			_exit(0);
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
		dup2(pipe[0], 0);
		syscall(SYS_close_range, 1, ~0u, 0);
		n = read(0, &byte, 1);
		if (n <= 0)
			remove_all(c);
		_exit(0);
	}
	close(pipe[0]);
	c->alive = pipe[1];
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void open_v2(struct cgroups *c)
{
	char *own = own_group(""), *parent = own ? make_parent(own, "memory.max") : NULL;

	free(own);
	if (!parent)
		return;
	/* The slots have what their parent passes on */
	put(parent, "cgroup.subtree_control", "+memory");
	put(parent, "cgroup.subtree_control", "+pids");
	put(parent, "cgroup.subtree_control", "+cpu");
	add_tree(c, parent);
	c->v = 2;
	c->memory = has(c->group[0].path[0], "memory.max");
	c->pids = has(c->group[0].path[0], "pids.max");
	c->cpuacct = true;
}

static void open_v1(struct cgroups *c)
{
	static const char *const name[] = {"memory", "pids", "cpuacct"}, *const file[] = {"memory.limit_in_bytes", "pids.max", "cpuacct.usage"};
	bool *const flag[] = {&c->memory, &c->pids, &c->cpuacct};
	int i;

	for (i = 0; i < 3; i++) {
		char *own = own_group(name[i]), *parent = own ? make_parent(own, file[i]) : NULL;

		if (parent) {
			*flag[i] = true;
			add_tree(c, parent);
			c->v = 1;
		}
		free(own);
	}
}

/* The hierarchy in which this slot has a file of that name; -1 */
static int tree_of(const struct cgroups *c, int slot, const char *file)
{
	int i;

	for (i = 0; i < c->n; i++)
		if (c->v == 2 || has(c->group[slot].path[i], file))
			return i;
	return -1;
}

static const char *dir_of(const struct cgroups *c, int slot, const char *file)
{
	const int i = tree_of(c, slot, file);

	return i < 0 ? "" : c->group[slot].path[i];
}

void cgroups_open(struct cgroups *c)
{
	int i, j;

	*c = (struct cgroups){.alive = -1};
	open_v2(c);
	if (!c->v)
		open_v1(c);
	for (i = 0; i < c->n; i++)
		for (j = 0; j < CGROUP_SLOTS; j++)
			if (c->group[j].procs[i] < 0)
				c->v = 0;
	if (c->v && !c->memory && !c->pids)
		c->v = 0;
	if (!c->v) {
		snprintf(c->why, sizeof c->why, "no control group in which this process may make one that limits memory");
		remove_all(c);
		c->n = 0;
		return;
	}
	start_janitor(c);
}

void cgroups_close(struct cgroups *c)
{
	int i, j;

	remove_all(c);
	if (c->alive >= 0)
		close(c->alive);
	for (i = 0; i < c->n; i++) {
		for (j = 0; j < CGROUP_SLOTS; j++) {
			close(c->group[j].procs[i]);
			free(c->group[j].path[i]);
		}
		free(c->parent[i]);
	}
	*c = (struct cgroups){.alive = -1};
}

static int64_t kills(const struct cgroups *c, int slot)
{
	if (!c->memory)
		return 0;
	return c->v == 2 ? get(c->group[slot].path[0], "memory.events", "oom_kill") :
	       get(dir_of(c, slot, "memory.limit_in_bytes"), "memory.oom_control", "oom_kill");
}

/* In nanoseconds */
static int64_t cpu(const struct cgroups *c, int slot)
{
	if (!c->cpuacct)
		return 0;
	return c->v == 2 ? get(c->group[slot].path[0], "cpu.stat", "usage_usec") * 1000 :
	       get(dir_of(c, slot, "cpuacct.usage"), "cpuacct.usage", NULL);
}

/* What the last run left (its tmpfs is freed a moment after its end) may stand in the way of a lower limit. */
static int limit_memory(const struct cgroups *c, int slot, int64_t bytes)
{
	const char *dir = dir_of(c, slot, "memory.limit_in_bytes");
	int tries;

	if (c->v == 2) {
		put(dir, "memory.swap.max", "0");
		return put_number(dir, "memory.max", bytes);
	}
	for (tries = 0; tries < 100; tries++) {
		struct timespec pause = {0, 10000000};
		bool both = has(dir, "memory.memsw.limit_in_bytes");

		if (both)               /* may not be below the other: whichever order is right */
			put_number(dir, "memory.memsw.limit_in_bytes", bytes);
		if (put_number(dir, "memory.limit_in_bytes", bytes) == 0 &&
		    (!both || put_number(dir, "memory.memsw.limit_in_bytes", bytes) == 0))
			return 0;
		if (errno != EBUSY)
			return -1;
		nanosleep(&pause, NULL);
	}
	return -1;
}

/* What boxes leave with the kernel for a while (namespaces, mounts) is memory of their group's, too, and where they follow each other faster than it is
 * cleared away, a small program would be killed for it. A group with much of it is made anew; what is left goes to the parent. */
static void renew(struct cgroups *c, int slot, int64_t limit)
{
	enum { MUCH = 4 << 20 };
	struct cgroup *g = &c->group[slot];
	const char *usage = c->v == 2 ? "memory.current" : "memory.usage_in_bytes";
	int i = tree_of(c, slot, "memory.limit_in_bytes"), fd;

	if (i < 0 || get(g->path[i], usage, NULL) <= (limit / 8 < MUCH ? limit / 8 : MUCH) || rmdir(g->path[i]) < 0)
		return;
	fd = make_group(g->path[i]);
	if (fd < 0)
		return;
	dup3(fd, g->procs[i], O_CLOEXEC);
	close(fd);
	g->memory = 0;
	if (c->v == 2)
		g->processes = 0;
}

static int limit_processes(const char *dir, int64_t processes)
{
	const int64_t most = 1 << 22;   /* the kernel's own, above which it takes no limit */

	return put_number(dir, "pids.max", processes < most ? processes + 1 : most);    /* and init */
}

int cgroup_begin(struct cgroups *c, int slot, const struct jail_limits *l, struct err *e)
{
	struct cgroup *g = &c->group[slot];
	const char *memory, *processes;

	if (!c->v)
		return 0;
	if (c->memory)
		renew(c, slot, l->memory);
	memory = dir_of(c, slot, "memory.limit_in_bytes");
	processes = dir_of(c, slot, "pids.max");
	if (c->memory && g->memory != l->memory && limit_memory(c, slot, l->memory) < 0)
		return err_errno(e, "set the limit of memory in %s", memory);
	g->memory = l->memory;
	if (c->pids && g->processes != l->processes && limit_processes(processes, l->processes) < 0)
		return err_errno(e, "set the limit of processes in %s", processes);
	g->processes = l->processes;
	if (c->memory && c->v == 1)
		put(memory, "memory.max_usage_in_bytes", "0");
	g->kills = kills(c, slot);
	g->cpu = cpu(c, slot);
	return 0;
}

void cgroup_end(struct cgroups *c, int slot, struct cgroup_use *use)
{
	*use = (struct cgroup_use){0};
	if (!c->v)
		return;
	use->killed = kills(c, slot) > c->group[slot].kills;
	use->cpu = (double)(cpu(c, slot) - c->group[slot].cpu) * 1e-9;
	if (c->memory && c->v == 1)
		use->memory = get(dir_of(c, slot, "memory.limit_in_bytes"), "memory.max_usage_in_bytes", NULL);
}
