/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of base share: cmocka with the headers that it wants before it, and a broken
 * contract seen from outside.
 */
#ifndef TEST_BASE_HARNESS_H
#define TEST_BASE_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether fn() aborts, as a broken contract must. Runs it in a child, with stderr put away. */
static inline bool aborts(void (*fn)(void))
{
	int status;
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (null >= 0)
			(void)dup2(null, STDERR_FILENO);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif /* TEST_BASE_HARNESS_H */
