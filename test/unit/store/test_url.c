/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "store/store.h"

static void test_store_shown__secrets_become_stars(void **state)
{
	static const char *const rows[][2] = {
		{ "sqlite:./a:b@c.db", "sqlite:./a:b@c.db" },
		{ "memory:", "memory:" },
		{ "postgresql://h/db", "postgresql://h/db" },
		{ "postgresql://u@h:5432,i:5433/db", "postgresql://u@h:5432,i:5433/db" },
		{ "postgresql://u:secret@h:5432/db", "postgresql://u:***@h:5432/db" },
		{ "postgresql://u:a%40b:c@h", "postgresql://u:***@h" },
		{ "postgres://u@h/db?password=x&sslmode=require",
		  "postgres://u@h/db?password=***&sslmode=require" },
		{ "postgresql:///db?host=h&sslpassword=x",
		  "postgresql:///db?host=h&sslpassword=***" },
		{ "postgresql://h?application_name=a=b&passfile=/k&sslkey=/l",
		  "postgresql://h?application_name=a=b&passfile=***&sslkey=***" },
		{ "postgresql://h/db?x=u:p@y", "postgresql://h/db?x=u:p@y" },
	};
	char shown[STORE_SHOWN_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(pawl__store_shown(rows[i][0], shown), rows[i][1]);
}

static void test_store_shown__too_long_is_nothing(void **state)
{
	char url[STORE_SHOWN_MAX + 8], shown[STORE_SHOWN_MAX];

	(void)state;
	memset(url, 'a', sizeof(url));
	memcpy(url, "sqlite:", 7);
	url[STORE_SHOWN_MAX - 1] = '\0';
	assert_string_equal(pawl__store_shown(url, shown), url);
	url[STORE_SHOWN_MAX - 1] = 'a';
	url[STORE_SHOWN_MAX] = '\0';
	assert_string_equal(pawl__store_shown(url, shown), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_store_shown__secrets_become_stars),
		cmocka_unit_test(test_store_shown__too_long_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
