/* enter.c - from the host into the zygote's namespaces
 *
 * Root maps three ids of its own choice that no account has: one for the zygote and init (0 inside), two for programs (1000 and 1001, one
 * for each of two boxes that run at once). So init is another user than the program, and the program's user owns nothing on the host.
 * An ordinary user may map but itself: then all are the same user, and only capabilities, the pid namespace and the filter stand
 * between the program and init. Root without user namespaces goes without the mapping.
 */
#include "enter.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INSIDE = 1000 };                 /* the program's id, as it sees it */

static int put(pid_t pid, const char *file, const char *text)
{
	char path[64];
	int fd, rc;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = write(fd, text, strlen(text)) < 0 ? -1 : 0;
	close(fd);
	return rc;
}

/* The first of three ids that no account uses, of those that exist here; 0: there are none. */
static unsigned spare_ids(const char *map)
{
	unsigned best = 0, inside, outside, count, pid = (unsigned)getpid();
	FILE *f = fopen(map, "re");

	while (f && fscanf(f, "%u %u %u", &inside, &outside, &count) == 3) {
		/* Beyond what systemd and container managers give out; else the upper end of what this container has */
		if (inside == 0 && count > 0x72000000)
			best = 0x70000000 + 4 * (pid & 0x3fffff);
		else if (count >= 4096 && inside + count - 2048 > best)
			best = inside + count - 2048 + 4 * (pid % 500);
	}
	if (f)
		fclose(f);
	return best;
}

/* The parent's part: ids from outside. 0, or -1 with errno. */
static int map_ids(pid_t pid, bool *own)
{
	unsigned uid = spare_ids("/proc/self/uid_map"), gid = spare_ids("/proc/self/gid_map");
	char text[128];

	*own = false;
	if (geteuid() == 0 && uid && gid) {
		snprintf(text, sizeof text, "0 %u 1\n%d %u 2\n", uid, INSIDE, uid + 1);
		if (put(pid, "uid_map", text) == 0) {
			snprintf(text, sizeof text, "0 %u 1\n%d %u 2\n", gid, INSIDE, gid + 1);
			return put(pid, "gid_map", text);
		}
	}
	*own = true;
	put(pid, "setgroups", "deny");
	snprintf(text, sizeof text, "%d %u 1\n", INSIDE, (unsigned)geteuid());
	if (put(pid, "uid_map", text) < 0)
		return -1;
	snprintf(text, sizeof text, "%d %u 1\n", INSIDE, (unsigned)getegid());
	return put(pid, "gid_map", text);
}

static _Noreturn void give_up(int socket, const char *what)
{
	struct jail_report r = {.kind = JAIL_BROKEN, .error = errno};

	snprintf(r.what, sizeof r.what, "%s", what);
	jail_send(socket, &r, sizeof r, NULL, 0);
	_exit(1);
}

static void make_namespaces(int socket, const struct view *v, struct jail_policy *p, bool user_namespace)
{
	const int spaces = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
	struct jail_report ok = {.kind = JAIL_EXITED};
	char what[128];
	const char *bad;
	size_t none;

	if (user_namespace) {
		if (unshare(CLONE_NEWUSER) < 0)
			give_up(socket, "make a user namespace");
		/* The parent maps ids, and says how */
		if (jail_send(socket, &ok, sizeof ok, NULL, 0) < 0 || jail_receive(socket, &ok, sizeof ok, NULL, &none) != sizeof ok)
			_exit(1);
		p->keep_ids = ok.kind == JAIL_STOPPED;
		if (!p->keep_ids && (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
			give_up(socket, "change to the jail's user");
	} else if (setgroups(0, NULL) < 0) {
		give_up(socket, "leave all groups");
	}
	if (unshare(spaces) < 0)
		give_up(socket, "make namespaces");
	unshare(CLONE_NEWCGROUP);       /* where there are such */
	unshare(0x80 /* CLONE_NEWTIME */);
	bad = view_enter(v, what, sizeof what);
	if (bad)
		give_up(socket, bad);
}

static _Noreturn void be_zygote(int socket, struct jail_policy *p, const struct view *v, bool user_namespace)
{
	struct jail_report ok = {.kind = JAIL_EXITED};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), i;

	/* Nothing of the server's stays open but this socket */
	socket = dup2(socket, 3);
	for (i = 0; i < 3; i++)
		dup2(null, i);
	fcntl(socket, F_SETFD, FD_CLOEXEC);
	syscall(SYS_close_range, 4, ~0u, 0);
	signal(SIGINT, SIG_IGN);        /* the server's to answer */
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	if (!p->unsafe)
		make_namespaces(socket, v, p, user_namespace);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);      /* after the change of ids, which clears it; the socket's end tells, too */
	if (jail_send(socket, &ok, sizeof ok, NULL, 0) < 0)
		_exit(1);
	jail_zygote(socket, p);
	_exit(0);
}

static int explain(const struct jail_report *r, ssize_t n, struct err *e)
{
	if (n != sizeof *r)
		return err_set(e, "the jail cannot be made here: its first process died");
	errno = r->error;
	return err_errno(e, "the jail cannot be made here: %s", r->what);
}

static int try_start(struct zygote *z, struct jail_policy *p, const struct view *v, struct err *e)
{
	struct jail_report r;
	int pair[2];
	ssize_t n;
	size_t none;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, "socketpair");
	p->uid = p->gid = INSIDE;
	p->keep_ids = geteuid() != 0;
	if (!z->user_namespace && !p->keep_ids) {
		unsigned spare = spare_ids("/proc/self/uid_map");

		p->uid = p->gid = spare ? spare + 1 : 65534;
	}
	z->pid = fork();
	if (z->pid < 0) {
		close(pair[0]);
		close(pair[1]);
		return err_errno(e, "fork");
	}
	if (z->pid == 0)
		be_zygote(pair[1], p, v, z->user_namespace);
	close(pair[1]);
	z->socket = pair[0];
	n = jail_receive(z->socket, &r, sizeof r, NULL, &none);
	if (n == sizeof r && r.kind == JAIL_EXITED && z->user_namespace) {
		struct jail_report go = {.kind = JAIL_EXITED};

		if (map_ids(z->pid, &z->own_ids) < 0) {
			err_errno(e, "the jail cannot be made here: map user ids");
			zygote_stop(z);
			return -1;
		}
		p->keep_ids = z->own_ids;
		go.kind = z->own_ids ? JAIL_STOPPED : JAIL_EXITED;
		jail_send(z->socket, &go, sizeof go, NULL, 0);
		n = jail_receive(z->socket, &r, sizeof r, NULL, &none);
	}
	if (n == sizeof r && r.kind == JAIL_EXITED)
		return 0;
	explain(&r, n, e);
	zygote_stop(z);
	return -1;
}

/* What the machine's owner has set against it, and can unset */
static void add_setting(struct err *e)
{
	static const struct {
		const char *file;
		char set;
		const char *what;
	} against[] = {
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1', "AppArmor keeps it from ordinary users here: r1-sandbox(1), CAVEATS, has what allows it"},
		{"/proc/sys/kernel/unprivileged_userns_clone", '0', "sysctl kernel.unprivileged_userns_clone is 0"},
		{"/proc/sys/user/max_user_namespaces", '0', "sysctl user.max_user_namespaces is 0"},
	};
	size_t i;

	for (i = 0; i < sizeof against / sizeof *against; i++) {
		const int fd = open(against[i].file, O_RDONLY | O_CLOEXEC);
		char set = 0;
		ssize_t n = fd < 0 ? 0 : read(fd, &set, 1);

		if (fd >= 0)
			close(fd);
		if (n == 1 && set == against[i].set) {
			const struct err was = *e;

			err_set(e, "%s (%s)", was.msg, against[i].what);
			return;
		}
	}
}

int zygote_start(struct zygote *z, struct jail_policy *p, const struct view *v, struct err *e)
{
	struct err second;

	*z = (struct zygote){.user_namespace = !p->unsafe, .socket = -1};
	if (try_start(z, p, v, e) == 0)
		return 0;
	if (p->unsafe)
		return -1;
	if (geteuid() != 0) {
		add_setting(e);
		return -1;
	}
	*z = (struct zygote){.socket = -1};
	return try_start(z, p, v, &second);
}

void zygote_stop(struct zygote *z)
{
	if (z->socket >= 0)
		close(z->socket);
	if (z->pid > 0) {
		kill(z->pid, SIGKILL);
		while (waitpid(z->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	*z = (struct zygote){.socket = -1};
}
