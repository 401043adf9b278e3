#include "task/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/tool.h"

#define LOOK 0.1               /* seconds: how soon a signal is seen that another thread got */

extern char **environ;

struct sandbox {
	pid_t pid;
	int to, from;
	struct buf line;                /* of the answer; what lies behind `used` has not been looked at */
};

/* The one that was built with this program, or installed with it */
static char *beside(void)
{
	static const char *const place[] = {"r1-sandbox", "../sandbox/r1-sandbox"};
	char here[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", here, sizeof here - 1);
	size_t i;

	here[n < 0 ? 0 : n] = 0;
	if (strrchr(here, '/')) {
		*strrchr(here, '/') = 0;
		for (i = 0; i < 2; i++) {
			char *path = xasprintf("%s/%s", here, place[i]);

			if (access(path, X_OK) == 0)
				return path;
			free(path);
		}
	}
	return xstrdup("r1-sandbox");
}

static int start(struct sandbox *s, char **argv, struct err *e)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t usual, none;
	int in[2], out[2], rc;

	if (pipe2(in, O_CLOEXEC) < 0)
		return err_errno(e, "pipe");
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in[0]);
		close(in[1]);
		return err_errno(e, "pipe");
	}
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in[0], 0);
	posix_spawn_file_actions_adddup2(&files, out[1], 1);
	/* In a group of its own: a key that interrupts us is ours to answer, and our end tells it */
	posix_spawnattr_init(&attr);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &usual);
	posix_spawnattr_setpgroup(&attr, 0);
	sigemptyset(&none);             /* a thread that takes no signals may have started it */
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	rc = posix_spawnp(&s->pid, argv[0], &files, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	close(in[0]);
	close(out[1]);
	s->to = in[1];
	s->from = out[0];
	if (rc == 0)
		return 0;
	s->pid = 0;
	errno = rc;
	return err_errno(e, "%s", argv[0]);
}

struct sandbox *sandbox_open(const char *command, struct err *e)
{
	struct sandbox *s = xcalloc(1, sizeof *s);
	char *text = command && *command ? xstrdup(command) : NULL, *word, *save = NULL, *own = NULL, **argv = xcalloc(4, sizeof *argv);
	size_t n = 0;
	int rc;

	for (word = text ? strtok_r(text, " \t", &save) : NULL; word; word = strtok_r(NULL, " \t", &save)) {
		argv = xrealloc(argv, (n + 5) * sizeof *argv);
		argv[n++] = word;
	}
	if (!n)
		argv[n++] = own = beside();
	argv[n++] = "--records";
	argv[n++] = "--brief";
	argv[n] = NULL;
	s->to = s->from = -1;
	rc = start(s, argv, e);
	free(argv);
	free(text);
	free(own);
	if (rc == 0)
		return s;
	sandbox_close(s);
	return NULL;
}

/* It has seen the end of its input by now, and ends, unless it is some other command that does not. */
static void wait_end(struct sandbox *s)
{
	double until = clock_seconds() + (tool_interrupted() ? 0.5 : 10);
	useconds_t nap = 500;
	pid_t ended = 0;

	while (s->pid > 0 && (ended = waitpid(s->pid, NULL, WNOHANG)) == 0 && clock_seconds() < until) {
		usleep(nap);
		nap = nap < 16000 ? nap * 2 : nap;
	}
	if (s->pid <= 0 || ended != 0)
		return;
	kill(s->pid, SIGKILL);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void sandbox_close(struct sandbox *s)
{
	if (!s)
		return;
	if (s->to >= 0)
		close(s->to);
	if (s->from >= 0)
		close(s->from);
	wait_end(s);
	buf_free(&s->line);
	free(s);
}

/* Up to the end of the line: 0; -1 at the end of the answers; -2 when it takes too long; -3: we are to end. */
static int read_answer(struct sandbox *s, double patience)
{
	double until = clock_seconds() + patience;

	buf_clear(&s->line);
	for (;;) {
		struct pollfd p = {.fd = s->from, .events = POLLIN};
		double left = until - clock_seconds();
		ssize_t n;
		char *at;

		if (tool_interrupted())
			return -3;
		if (left <= 0)
			return -2;
		if (poll(&p, 1, left > LOOK ? (int)(LOOK * 1e3) : (int)(left * 1e3) + 1) <= 0)
			continue;
		at = buf_room(&s->line, 1 << 16);
		n = read(s->from, at, 1 << 16);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		s->line.n += (size_t)n;
		if (s->line.p[s->line.n - 1] == '\n') {         /* one answer for each request: the line's end is the text's */
			s->line.p[--s->line.n] = 0;
			return 0;
		}
	}
}

struct js *sandbox_run(struct sandbox *s, struct js *request, double patience, struct err *e)
{
	struct buf b = {0};
	int rc;

	js_write(request, 0, &b);
	js_free(request);
	buf_char(&b, '\n');
	rc = file_put(s->to, b.p, b.n);
	buf_free(&b);
	if (rc == 0)
		rc = read_answer(s, patience);
	if (rc == 0)
		return js_parse(s->line.p, s->line.n, "r1-sandbox", e);
	if (rc == -2) {
		kill(s->pid, SIGKILL);
		err_set(e, "r1-sandbox did not answer within %g s", patience);
	} else {
		err_set(e, rc == -3 ? "interrupted" : "r1-sandbox ended");
	}
	return NULL;
}
