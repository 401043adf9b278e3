#include "base/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/team.h"

static const char *program = "r1";
static int verbosity;
static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	if (interrupted)                /* asked twice: go at once */
		_exit(128 + sig);
	interrupted = sig;
}

int tool_interrupted(void)
{
	return interrupted;
}

/* A message may quote what a file or a server holds: it stays one line, and does nothing to a terminal. */
static void add_line(struct buf *to, const char *fmt, va_list ap)
{
	struct buf text = {0};
	size_t i;

	buf_vprintf(&text, fmt, ap);
	for (i = 0; i < text.n; i++) {
		const unsigned char c = (unsigned char)text.p[i];

		if (c >= ' ' && c != 0x7f)
			buf_char(to, (char)c);
		else if (c == '\n' || c == '\t' || c == '\r')
			buf_printf(to, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
		else
			buf_printf(to, "\\x%02x", c);
	}
	buf_free(&text);
}

/* In one piece, for others may write there as well. Of a team, which all come to the same lines, the first speaks. */
static void say(const char *fmt, va_list ap)
{
	struct buf line = {0};

	if (team_rank() > 0)
		return;
	fflush(stdout);
	buf_printf(&line, "%s%s: ", isatty(2) ? "\r\033[K" : "", program);
	add_line(&line, fmt, ap);
	fprintf(stderr, "%s\n", line.p);
	buf_free(&line);
}

void tool_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void tool_note(const char *fmt, ...)
{
	va_list ap;

	if (verbosity < 0)
		return;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void tool_debug(const char *fmt, ...)
{
	va_list ap;

	if (verbosity < 1)
		return;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

int tool_usage(const struct tool *t, const char *fmt, ...)
{
	struct buf line = {0};
	va_list ap;

	va_start(ap, fmt);
	add_line(&line, fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s: %s; '%s --help' lists the options\n", t->name, line.p, t->name);
	buf_free(&line);
	return 2;
}

/* What stdout could not take is not missed where it is a pipe that nobody reads: as if SIGPIPE had ended the program. */
static bool unread(const struct tool *t)
{
	struct pollfd out = {.fd = 1};

	return !t->speaks && ferror(stdout) && poll(&out, 1, 0) > 0 && out.revents & POLLERR;
}

static int fail(const struct tool *t, const struct err *e)
{
	if (unread(t))
		return interrupted ? 128 + interrupted : 1;
	if (fflush(stdout) != 0)
		clearerr(stdout);
	tool_warn("%s", e->msg);
	return interrupted ? 128 + interrupted : 1;
}

/* In a team the first that failed has the word, by the first process, whose exit status is that of all. */
int tool_fail(const struct tool *t, const struct err *e)
{
	struct err first = *e;
	int rc;

	team_agree(-1, &first);
	rc = fail(t, &first);
	team_leave(&first);
	return team_rank() == 0 ? rc : 0;
}

static int finish_stdout(const struct tool *t)
{
	bool bad;

	errno = 0;
	bad = fflush(stdout) != 0 || ferror(stdout);
	if (bad && unread(t))
		return 1;
	if (fclose(stdout) != 0 || bad) {
		fprintf(stderr, "%s: standard output: %s\n", t->name, errno ? strerror(errno) : "write error");
		return 1;
	}
	return 0;
}

/* Written at once, at the end, where a failure says its reason */
static int show_help(const struct tool *t, const struct opt_command *cmd, const struct opt *opts)
{
	char room[1 << 15];

	setvbuf(stdout, room, _IOFBF, sizeof room);
	opt_help(cmd, opts, stdout);
	return finish_stdout(t);
}

/* No file that is opened later may stand where the caller closed stdin, stdout or stderr: what is read or written there fails, as if it were closed. */
static void hold_closed(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
			_exit(1);
}

int tool_begin(struct tool *t, struct opt *opts, int *argc, char ***argv)
{
	struct opt_command cmd = {t->name, t->usage, t->summary, t->details};
	struct sigaction sa = {.sa_handler = on_signal};
	struct err e;

	program = t->name;
	hold_closed();
	if (!t->backend)
		t->backend = "cpu";
	signal(SIGPIPE, SIG_IGN);       /* a closed pipe is a write error */
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	switch (opt_parse(opts, argc, argv, &e)) {
	case OPT_SHOW_HELP:
		return show_help(t, &cmd, opts);
	case OPT_SHOW_VERSION:
		printf("%s (r1) %s\n", t->name, R1_VERSION);
		return finish_stdout(t);
	case OPT_BAD:
		return tool_usage(t, "%s", e.msg);
	case OPT_OK:
		break;
	}
	verbosity = t->quiet ? -1 : t->verbose ? 1 : 0;
	return -1;
}

static int end(const struct tool *t)
{
	if (finish_stdout(t))
		return 1;
	if (interrupted)
		return 128 + interrupted;
	if (t->skipped && team_rank() == 0)
		fprintf(stderr, "%s: %lld bad line%s skipped\n", t->name, (long long)t->skipped, t->skipped == 1 ? "" : "s");
	return t->skipped ? 3 : 0;
}

int tool_end(struct tool *t)
{
	struct err e;
	int rc = end(t);

	if (team_leave(&e) < 0) {
		tool_warn("%s", e.msg);
		rc = rc ? rc : 1;
	}
	return team_rank() == 0 ? rc : 0;
}
