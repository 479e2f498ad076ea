/* SPDX-License-Identifier: Apache-2.0 */
/* The matrix of isolation anomalies, done on the PostgreSQL that PAWL_TEST_POSTGRES names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "race/builtin/hermitage.h"

static void test_hermitage_run__on_postgresql_the_known_matrix(void **state)
{
	static const char *const names[HERMITAGE_LEVELS] = { "RC", "RR", "SER" };
	const char *url = getenv("PAWL_TEST_POSTGRES");
	int wrong = 0;

	(void)state;
	if (url == NULL) {
		print_message("PAWL_TEST_POSTGRES is not set: nothing to try it on\n");
		skip();
		return;
	}
	for (const struct hermitage *h = pawl__hermitage; h->name != NULL; h++) {
		for (int level = 0; level < HERMITAGE_LEVELS; level++) {
			struct pawl_error err = { 0 };
			bool happened = false;
			const enum pawl_status st = pawl__hermitage_run(
				url, h, (enum hermitage_level)level, &happened, &err);

			if (st != PAWL_OK)
				fail_msg("%s %s: %s", h->name, names[level], err.text);
			if (happened == h->prevented[level]) {
				print_error("%s at %s: %s\n", h->name, names[level],
				            happened ? "happened" : "was prevented");
				wrong++;
			}
		}
	}
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hermitage_run__on_postgresql_the_known_matrix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
