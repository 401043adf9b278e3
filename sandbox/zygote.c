/* zygote.c - makes a box for each message, by one clone() from a process that already stands in the read-only tree */
#include "jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int jail_send(int socket, const void *p, size_t n, const int *fds, size_t fds_n)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(JAIL_MAX_FDS * sizeof(int))];
	} control;
	struct iovec v = {(void *)p, n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	ssize_t rc;

	if (fds_n) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof control);
		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(fds_n * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fds_n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fds_n * sizeof(int));
	}
	do
		rc = sendmsg(socket, &m, MSG_NOSIGNAL);
	while (rc < 0 && errno == EINTR);
	return rc == (ssize_t)n ? 0 : -1;
}

ssize_t jail_receive(int socket, void *p, size_t n, int *fds, size_t *fds_n)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(JAIL_MAX_FDS * sizeof(int))];
	} control;
	struct iovec v = {p, n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
	struct cmsghdr *c;
	ssize_t rc;

	*fds_n = 0;
	do
		rc = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	while (rc < 0 && errno == EINTR);
	for (c = rc < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			*fds_n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(fds, CMSG_DATA(c), *fds_n * sizeof(int));
		}
	}
	return rc;
}

static void broken(int report, const char *what)
{
	struct jail_report r = {.kind = JAIL_BROKEN, .error = errno};

	snprintf(r.what, sizeof r.what, "%s", what);
	jail_send(report, &r, sizeof r, NULL, 0);
}

/* Rights go through exec as ambient ones. */
static int keep_capabilities(void)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];
	int c, i;

	if (syscall(SYS_capget, &head, d) < 0)
		return -1;
	for (i = 0; i < 2; i++)
		d[i].inheritable = d[i].permitted;
	if (syscall(SYS_capset, &head, d) < 0)
		return -1;
	for (c = 0; c < 64; c++)
		if (d[c / 32].permitted >> c % 32 & 1)
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0);
	return 0;
}

/* An interpreter becomes a zygote of its own: a script of ours loads this code into it as a shared object. fds: its socket, the filter's
 * file, /dev/null. */
static void start_interpreter(const int *fds, size_t n, const struct jail_policy *p)
{
	char policy[64];
	char *argv[] = {"python3", "/.r1/zygote.py", policy, NULL};
	char *envp[] = {JAIL_ENVIRONMENT, "HOME=" JAIL_FOLDER "/work", "TMPDIR=" JAIL_FOLDER "/tmp", NULL};     /* in make_job's order: a program's own */
	int socket, filter, null;

	if (n != 3 || keep_capabilities() < 0)
		return;
	signal(SIGCHLD, SIG_DFL);
	socket = fcntl(fds[0], F_DUPFD, 10);
	filter = fcntl(fds[1], F_DUPFD, 10);
	null = fcntl(fds[2], F_DUPFD, 10);
	if (socket < 0 || filter < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || dup2(socket, 3) < 0 ||
	    dup2(filter, 4) < 0 || syscall(SYS_close_range, 5, ~0u, 0) < 0)
		return;
	snprintf(policy, sizeof policy, "%d,%d,%d,%d", (int)p->uid, (int)p->gid, p->keep_ids, p->unsafe);
	execve("/usr/local/bin/python3", argv, envp);
	execve("/usr/bin/python3", argv, envp);
}

static void close_all(const int *fds, size_t n)
{
	while (n--)
		close(fds[n]);
}

const struct jail_job *jail_zygote(int socket, const struct jail_policy *p)
{
	const unsigned long flags = p->unsafe ? 0 : CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
	struct jail_message m;
	int fds[JAIL_MAX_FDS];
	size_t n;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	signal(SIGCHLD, SIG_IGN);       /* boxes report for themselves, and nobody waits for them */
	while (jail_receive(socket, &m, sizeof m, fds, &n) == sizeof m) {
		/* Not fork(): it knows no namespaces. The child calls nothing that trusts what the C library remembers of its process. */
		pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD | (m.kind == JAIL_RUN ? flags : 0), NULL, NULL, NULL, NULL);

		if (pid == 0) {
			close(socket);
			prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
			if (m.kind == JAIL_RUN)
				return jail_box(&m, fds, p);
			start_interpreter(fds, n, p);
			_exit(127);
		}
		if (pid < 0 && m.kind == JAIL_RUN && n > 1)
			broken(fds[1], "make a box");
		close_all(fds, n);
	}
	_exit(0);
}
