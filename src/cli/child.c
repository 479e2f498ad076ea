/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/error.h"

#define PROGRAM    "/proc/self/exe"
#define READ_CHUNK 4096

/* What the child inherits of the environment; false: too much. */
static bool env_clean(char *ret[CHILD_ENV_MAX + 1])
{
	size_t n = 0;

	for (size_t i = 0; environ[i] != NULL; i++) {
		if (strncmp(environ[i], "PAWL_", 5) == 0 ||
		    strncmp(environ[i], "NOTIFY_SOCKET=", 14) == 0)
			continue;
		if (n == CHILD_ENV_MAX)
			return false;
		ret[n++] = environ[i];
	}
	ret[n] = NULL;
	return true;
}

static int spawn(const char *const *argv, const char *err_path, int out, pid_t *ret)
{
	char *env[CHILD_ENV_MAX + 1];
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	char *const *args;
	sigset_t none;
	int rc;

	memcpy(&args, &argv, sizeof(args)); /* POSIX's argv is not const, but is not written to */
	if (!env_clean(env))
		return E2BIG;
	rc = posix_spawn_file_actions_init(&files);
	if (rc != 0)
		return rc;
	rc = posix_spawnattr_init(&attr);
	if (rc == 0) {
		(void)sigemptyset(&none);
		(void)posix_spawnattr_setsigmask(&attr, &none);
		(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
		rc = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY,
		                                      0);
		if (rc == 0)
			rc = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
		if (rc == 0)
			rc = posix_spawn_file_actions_addopen(&files, STDERR_FILENO, err_path,
			                                      O_WRONLY | O_CREAT | O_APPEND, 0600);
		if (rc == 0)
			rc = posix_spawn(ret, PROGRAM, &files, &attr, args, env);
		(void)posix_spawnattr_destroy(&attr);
	}
	(void)posix_spawn_file_actions_destroy(&files);
	return rc;
}

enum pawl_status pawl__child_start(const char *const *argv, const char *err_path, struct child *ret,
                                   struct pawl_error *err)
{
	int fds[2], rc;
	pid_t pid = 0;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return pawl__error_native(err, PAWL_E_IO, errno, "cannot make a pipe: %m");
	rc = spawn(argv, err_path, fds[1], &pid);
	(void)close(fds[1]);
	if (rc != 0) {
		(void)close(fds[0]);
		return pawl__error_native(err, PAWL_E_IO, rc, "cannot start a process of pawl");
	}
	*ret = (struct child){ .pid = pid, .out = fds[0] };
	return PAWL_OK;
}

/* Whether fd became readable (or ended) before deadline_us. */
static bool wait_readable(int fd, int64_t deadline_us)
{
	for (;;) {
		const int64_t left_us = deadline_us - pawl__clock_mono_us();
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int n;

		if (left_us <= 0)
			return false;
		n = poll(&p, 1, (int)((left_us + 999) / 1000));
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

enum pawl_status pawl__child_read(struct child *c, bool line, int64_t timeout_us, struct buf *b,
                                  struct pawl_error *err)
{
	const int64_t deadline_us = pawl__clock_mono_us() + timeout_us;

	PRE(c->out >= 0);
	for (;;) {
		char *room = pawl__buf_reserve(b, READ_CHUNK);
		ssize_t n;

		if (room == NULL)
			return pawl__error_set(err, PAWL_E_IO, "it says too much");
		if (!wait_readable(c->out, deadline_us))
			return pawl__error_set(err, PAWL_E_IO, "it does not answer");
		n = read(c->out, room, READ_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pawl__error_native(err, PAWL_E_IO, errno, "cannot be read: %m");
		b->len += (size_t)n;
		if (n == 0 && !line)
			return PAWL_OK;
		if (n == 0)
			return pawl__error_set(err, PAWL_E_IO, "it ended");
		if (line && memchr(room, '\n', (size_t)n) != NULL)
			return PAWL_OK;
	}
}

int pawl__child_end(struct child *c, int signo, int64_t timeout_us)
{
	int status = 0, fd;
	pid_t pid;

	if (c->pid == 0)
		return 0;
	if (signo != 0)
		(void)kill(c->pid, signo);
	fd = pidfd_open(c->pid, 0);
	if (fd < 0 || !wait_readable(fd, pawl__clock_mono_us() + timeout_us))
		(void)kill(c->pid, SIGKILL);
	if (fd >= 0)
		(void)close(fd);
	do
		pid = waitpid(c->pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	INVARIANT(pid == c->pid); /* (1): nobody else waits for it */
	(void)close(c->out);
	*c = (struct child){ .out = -1 };
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
